// Extended attributes that belong to an image.
#pragma once

#include <map>
#include <string>

#include "lib/base/error.h"

namespace stagewright::layer {

using Xattrs = std::map<std::string, std::string>;

/// Attributes of the open file `fd` (not O_PATH). Left out are those that belong to the machine and
/// not to the image: security.selinux, security.ima, security.evm, trusted.* and overlay's own. A
/// filesystem without attributes has none.
Result<Xattrs> loadXattrs(int fd, const std::string& name);
/// The same for something that cannot be opened (a link, a device), by its directory; without /proc
/// it has none.
Result<Xattrs> loadXattrsAt(int dir, const std::string& name);
/// Sets one attribute without following a link. The caller decides whether a failure matters.
Status saveXattrAt(int dir, const std::string& name, const std::string& key,
                   const std::string& value);
Status saveXattr(int fd, const std::string& name, const std::string& key, const std::string& value);

}  // namespace stagewright::layer
