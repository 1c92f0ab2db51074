#include "lib/compress/decompressor.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace stagewright::compress {

namespace {

constexpr std::size_t kInputSize = 128 * 1024;

/// Compressed bytes, read ahead.
class Input {
 public:
  explicit Input(Reader reader) : reader_(std::move(reader)) {}

  /// Makes at least `wanted` bytes available unless the input ends before.
  Status fill(std::size_t wanted) {
    while (!ended_ && bytes().size() < wanted) {
      buffer_.erase(0, offset_);
      offset_ = 0;
      const std::size_t old = buffer_.size();
      buffer_.resize(old + kInputSize);
      Result<std::size_t> n = reader_(buffer_.data() + old, kInputSize);
      buffer_.resize(old + (n ? *n : 0));
      if (!n) {
        return std::move(n).error();
      }
      ended_ = *n == 0;
    }
    return ok();
  }
  std::string_view bytes() const { return std::string_view(buffer_).substr(offset_); }
  void consume(std::size_t n) { offset_ += n; }

 private:
  Reader reader_;
  std::string buffer_;
  std::size_t offset_ = 0;
  bool ended_ = false;
};

}  // namespace

class Decompressor::Engine {
 public:
  explicit Engine(Input input) : input_(std::move(input)) {}
  virtual ~Engine() = default;
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;

 protected:
  Input input_;
};

class Decompressor::Plain final : public Engine {
 public:
  using Engine::Engine;
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    CHECK_OK(input_.fill(1));
    const std::size_t n = std::min(size, input_.bytes().size());
    std::memcpy(buffer, input_.bytes().data(), n);
    input_.consume(n);
    return n;
  }
};

class Decompressor::Gzip final : public Engine {
 public:
  explicit Gzip(Input input) : Engine(std::move(input)) { startMember(); }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    std::size_t produced = 0;
    while (produced == 0 && size > 0) {
      CHECK_OK(input_.fill(1));
      const std::string_view in = input_.bytes();
      if (state_->block_state == ISAL_BLOCK_FINISH) {
        if (in.empty()) {
          return 0;
        }
        startMember();
      }
      TRY(produced, inflate(in, buffer, size));
      if (produced == 0 && in.empty() && state_->block_state != ISAL_BLOCK_FINISH) {
        return invalid("the gzip stream is cut off");
      }
    }
    return produced;
  }

 private:
  void startMember() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
  }

  Result<std::size_t> inflate(std::string_view in, char* buffer, std::size_t size) {
    state_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(in.data()));
    state_->avail_in = static_cast<std::uint32_t>(in.size());
    state_->next_out = reinterpret_cast<std::uint8_t*>(buffer);
    state_->avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(size, 1U << 30));
    const std::uint32_t room = state_->avail_out;
    if (const int code = isal_inflate(state_.get()); code < 0) {
      return invalid("the gzip stream is broken (igzip error " + std::to_string(code) + ")");
    }
    input_.consume(in.size() - state_->avail_in);
    return room - state_->avail_out;
  }

  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
};

class Decompressor::Zstd final : public Engine {
 public:
  explicit Zstd(Input input) : Engine(std::move(input)), context_(ZSTD_createDCtx()) {
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax,
                           27);  // 128 MiB, what zstd itself takes without --long
  }
  ~Zstd() override { ZSTD_freeDCtx(context_); }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    ZSTD_outBuffer out{buffer, size, 0};
    while (out.pos == 0 && size > 0) {
      CHECK_OK(input_.fill(1));
      const std::string_view bytes = input_.bytes();
      if (bytes.empty() && frameDone_) {
        return 0;
      }
      ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
      const std::size_t left = ZSTD_decompressStream(context_, &out, &in);
      if (ZSTD_isError(left) != 0) {
        return invalid(std::string("the zstd stream is broken: ") + ZSTD_getErrorName(left));
      }
      input_.consume(in.pos);
      frameDone_ = left == 0;
      if (bytes.empty() && out.pos == 0 && !frameDone_) {
        return invalid("the zstd stream is cut off");
      }
    }
    return out.pos;
  }

 private:
  ZSTD_DCtx* context_;
  bool frameDone_ = false;
};

Decompressor::Decompressor(Reader reader) : reader_(std::move(reader)) {}
Decompressor::~Decompressor() = default;

Status Decompressor::choose() {
  Input input(std::move(reader_));
  CHECK_OK(input.fill(4));
  const std::string_view start = input.bytes();
  if (start.starts_with("\x1f\x8b")) {
    engine_ = std::make_unique<Gzip>(std::move(input));
  } else if (start.starts_with("\x28\xb5\x2f\xfd")) {
    engine_ = std::make_unique<Zstd>(std::move(input));
  } else {
    engine_ = std::make_unique<Plain>(std::move(input));
  }
  return ok();
}

Result<std::size_t> Decompressor::read(char* buffer, std::size_t size) {
  if (!engine_) {
    CHECK_OK(choose());
  }
  return engine_->read(buffer, size);
}

}  // namespace stagewright::compress
