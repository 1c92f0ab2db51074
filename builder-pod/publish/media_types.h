// The two families of media types, and the way from one to the other.
#pragma once

#include <string>
#include <string_view>

namespace stagewright::publish {

/// What a layer of media type `type` is called in an image of the wanted format. Unknown ones stay
/// as they are.
std::string layerMediaType(std::string_view type, bool dockerFormat);
/// Layers that must not be pushed (Windows base layers): the manifest only names them.
bool isForeignLayer(std::string_view type);

}  // namespace stagewright::publish
