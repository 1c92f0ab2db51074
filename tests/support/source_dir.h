// Where the checkout is that the tests were built from.
#pragma once

#include <filesystem>

namespace stagewright {

/// In one file, so that the objects of all others are the same in every checkout and ccache has them.
std::filesystem::path sourceDir();

}  // namespace stagewright
