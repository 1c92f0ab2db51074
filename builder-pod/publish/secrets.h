// Registry credentials from mounted Secrets.
#pragma once

#include <string>

#include "lib/base/error.h"
#include "lib/registry/credentials.h"

namespace stagewright::publish {

/// <directory>/.dockerconfigjson. kNotFound if the Secret or its key is missing, kInvalid if it is
/// malformed; messages name the Secret, say what to do and never repeat contents.
Result<registry::Credentials> loadPushCredentials(const std::string& directory,
                                                  const std::string& secretName);

/// <directory>/<0..count-1>/.dockerconfigjson; missing ones are left out, as the kubelet does it.
Result<registry::Credentials> loadPullCredentials(const std::string& directory, int count);

}  // namespace stagewright::publish
