// Base images as directories of the store.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "lib/base/error.h"
#include "lib/plan/plan.h"
#include "local/image_source.h"
#include "local/store.h"
#include "local/view.h"

namespace stagewright::local {

/// The image's layers, unpacked once and kept under their chain ids. Several threads may ask for the same image: one
/// unpacks, the others wait. `tell` gets a line before a layer is fetched.
Result<LayerDirectories> unpackBase(Store& store, ImageSource& source, const plan::Base& base,
                                    const std::function<void(const std::string&)>& tell, std::stop_token stop);

/// One step's layer, from its blob in the store; the id it has there.
Result<std::string> unpackStep(Store& store, const BlobRecord& blob, const LayerDirectories& below, std::stop_token stop);

}  // namespace stagewright::local
