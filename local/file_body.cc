#include "local/file_body.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace stagewright::local {

Result<FileBody> FileBody::open(const std::string& path, std::int64_t size) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? Result<FileBody>(FileBody(std::move(file), size)) : systemError("open", path, errno);
}

Result<std::size_t> FileBody::read(char* buffer, std::size_t size) {
  const ssize_t n = ::pread(file_.get(), buffer, size, at_);
  if (n < 0) {
    return systemError("read", "blob", errno);
  }
  at_ += n;
  return static_cast<std::size_t>(n);
}

}  // namespace stagewright::local
