#include "local/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"

namespace stagewright::local {

Status saveScratchFile(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + "." + toHex(randomBytes(4));
  {
    const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file) {
      return systemError("open", temporary, errno);
    }
    CHECK_OK(writeAll(file.get(), bytes, temporary));
  }
  return ::rename(temporary.c_str(), path.c_str()) == 0 ? ok() : Status(systemError("rename", path, errno));
}

}  // namespace stagewright::local
