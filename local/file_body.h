// A file of the store as the body of an upload.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "lib/base/fd.h"
#include "lib/http/transport.h"

namespace stagewright::local {

class FileBody final : public http::BodySource {
 public:
  FileBody(Fd file, std::int64_t size) : file_(std::move(file)), size_(size) {}
  static Result<FileBody> open(const std::string& path, std::int64_t size);

  Result<std::size_t> read(char* buffer, std::size_t size) override;
  Status rewind() override {
    at_ = 0;
    return ok();
  }
  std::optional<std::int64_t> length() const override { return size_; }

 private:
  Fd file_;
  std::int64_t size_;
  off_t at_ = 0;
};

}  // namespace stagewright::local
