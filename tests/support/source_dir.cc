#include "tests/support/source_dir.h"

namespace stagewright {

std::filesystem::path sourceDir() { return STAGEWRIGHT_SOURCE_DIR; }

}  // namespace stagewright
