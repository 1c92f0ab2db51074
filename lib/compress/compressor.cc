#include "lib/compress/compressor.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/compress/block_compressor.h"

namespace stagewright::compress {

Reader readerOf(int fd, std::string name) {
  return [fd, name = std::move(name)](char* buffer, std::size_t size) -> Result<std::size_t> {
    while (true) {
      const ssize_t n = ::read(fd, buffer, size);
      if (n >= 0) {
        return static_cast<std::size_t>(n);
      }
      if (errno != EINTR) {
        return systemError("read", name, errno);
      }
    }
  };
}

std::unique_ptr<Compressor> Compressor::make(Format format, Reader reader, int threads) {
  return format == Format::kZstd ? makeZstdCompressor(std::move(reader), std::max(threads, 1))
                                 : makeGzipCompressor(std::move(reader), std::max(threads, 1));
}

}  // namespace stagewright::compress
