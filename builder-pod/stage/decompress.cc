#include "builder-pod/stage/decompress.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace stagewright::stage {

namespace {

constexpr std::size_t kInput = 64 * 1024;
constexpr std::size_t kMagic = 10;
constexpr std::uint64_t kXzMemory = 512ull * 1024 * 1024;

Error broken(const char* format) { return invalid(std::string(format) + ": the data is broken"); }

/// The source with the bytes that were looked at put back in front.
class Peeked final : public layer::ByteSource {
 public:
  Peeked(layer::ByteSource& source, std::string head) : source_(source), head_(std::move(head)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (at_ < head_.size()) {
      const std::size_t n = std::min(size, head_.size() - at_);
      std::memcpy(buffer, head_.data() + at_, n);
      at_ += n;
      return n;
    }
    return source_.read(buffer, size);
  }

 private:
  layer::ByteSource& source_;
  std::string head_;
  std::size_t at_ = 0;
};

/// What the four have in common: a buffer of input that is filled when it is used up.
class Decoder : public layer::ByteSource {
 public:
  explicit Decoder(std::unique_ptr<layer::ByteSource> source)
      : source_(std::move(source)), input_(kInput, '\0') {}

 protected:
  /// False at the end of the input.
  Result<bool> fill() {
    if (begin_ < end_) {
      return true;
    }
    TRY(end_, source_->read(input_.data(), input_.size()));
    begin_ = 0;
    return end_ > 0;
  }
  char* next() { return input_.data() + begin_; }
  std::size_t available() const { return end_ - begin_; }
  void consume(std::size_t left) { begin_ = end_ - left; }

 private:
  std::unique_ptr<layer::ByteSource> source_;
  std::string input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class GzipDecoder final : public Decoder {
 public:
  explicit GzipDecoder(std::unique_ptr<layer::ByteSource> source) : Decoder(std::move(source)) {
    ready_ = ::inflateInit2(&stream_, 15 + 16) == Z_OK;
  }
  ~GzipDecoder() override { ::inflateEnd(&stream_); }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    while (ready_) {
      TRY(const bool more, fill());
      if (!more) {
        return inStream_ ? Result<std::size_t>(broken("gzip"))
                         : Result<std::size_t>(std::size_t{0});
      }
      inStream_ = true;
      stream_.next_in = reinterpret_cast<Bytef*>(next());
      stream_.avail_in = static_cast<uInt>(available());
      stream_.next_out = reinterpret_cast<Bytef*>(buffer);
      stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1u << 30));
      const uInt room = stream_.avail_out;
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      consume(stream_.avail_in);
      if (result == Z_STREAM_END) {
        inStream_ = false;
        ::inflateReset(&stream_);
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return broken("gzip");
      }
      if (room != stream_.avail_out) {
        return std::size_t{room - stream_.avail_out};
      }
    }
    return internal("zlib does not start");
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool inStream_ = false;
};

class BzipDecoder final : public Decoder {
 public:
  explicit BzipDecoder(std::unique_ptr<layer::ByteSource> source) : Decoder(std::move(source)) {}
  ~BzipDecoder() override { end(); }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    for (;;) {
      TRY(const bool more, fill());
      if (!more) {
        return open_ ? Result<std::size_t>(broken("bzip2")) : Result<std::size_t>(std::size_t{0});
      }
      if (!open_) {
        stream_ = bz_stream{};
        if (::BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) {
          return internal("bzip2 does not start");
        }
        open_ = true;
      }
      stream_.next_in = next();
      stream_.avail_in = static_cast<unsigned>(available());
      stream_.next_out = buffer;
      stream_.avail_out = static_cast<unsigned>(std::min<std::size_t>(size, 1u << 30));
      const unsigned room = stream_.avail_out;
      const int result = ::BZ2_bzDecompress(&stream_);
      consume(stream_.avail_in);
      const std::size_t made = room - stream_.avail_out;
      if (result == BZ_STREAM_END) {
        end();
      } else if (result != BZ_OK) {
        return broken("bzip2");
      }
      if (made > 0) {
        return made;
      }
    }
  }

 private:
  void end() {
    if (open_) {
      ::BZ2_bzDecompressEnd(&stream_);
      open_ = false;
    }
  }

  bz_stream stream_{};
  bool open_ = false;
};

class XzDecoder final : public Decoder {
 public:
  explicit XzDecoder(std::unique_ptr<layer::ByteSource> source) : Decoder(std::move(source)) {
    ready_ = ::lzma_stream_decoder(&stream_, kXzMemory, LZMA_CONCATENATED) == LZMA_OK;
  }
  ~XzDecoder() override { ::lzma_end(&stream_); }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (!ready_) {
      return internal("xz does not start");
    }
    while (!ended_) {
      TRY(const bool more, fill());
      stream_.next_in = reinterpret_cast<const std::uint8_t*>(next());
      stream_.avail_in = more ? available() : 0;
      stream_.next_out = reinterpret_cast<std::uint8_t*>(buffer);
      stream_.avail_out = size;
      const lzma_ret result = ::lzma_code(&stream_, more ? LZMA_RUN : LZMA_FINISH);
      if (more) {
        consume(stream_.avail_in);
      }
      ended_ = result == LZMA_STREAM_END;
      if (result != LZMA_OK && !ended_) {
        return broken("xz");
      }
      if (stream_.avail_out != size) {
        return size - stream_.avail_out;
      }
    }
    return std::size_t{0};
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_ = false;
  bool ended_ = false;
};

class ZstdDecoder final : public Decoder {
 public:
  explicit ZstdDecoder(std::unique_ptr<layer::ByteSource> source)
      : Decoder(std::move(source)), stream_(::ZSTD_createDStream()) {}
  ~ZstdDecoder() override { ::ZSTD_freeDStream(stream_); }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    for (;;) {
      TRY(const bool more, fill());
      if (!more && !pending_) {
        return inFrame_ ? Result<std::size_t>(broken("zstd")) : Result<std::size_t>(std::size_t{0});
      }
      ZSTD_inBuffer in{next(), more ? available() : 0, 0};
      ZSTD_outBuffer out{buffer, size, 0};
      const std::size_t result = ::ZSTD_decompressStream(stream_, &out, &in);
      if (more) {
        consume(in.size - in.pos);
      }
      if (::ZSTD_isError(result) != 0) {
        return broken("zstd");
      }
      inFrame_ = result != 0;
      pending_ = out.pos == out.size;  // it may hold back more than fitted
      if (out.pos > 0) {
        return out.pos;
      }
    }
  }

 private:
  ZSTD_DStream* stream_;
  bool inFrame_ = false;
  bool pending_ = false;
};

bool isZstd(std::string_view head) {
  return head.starts_with("\x28\xb5\x2f\xfd") ||
         (head.size() >= 4 && (static_cast<unsigned char>(head[0]) & 0xf0) == 0x50 &&
          head.substr(1, 3) == "\x2a\x4d\x18");
}

}  // namespace

Result<std::unique_ptr<layer::ByteSource>> makeDecompressed(layer::ByteSource& source) {
  std::string head(kMagic, '\0');
  TRY(const std::size_t n, layer::readFully(source, head.data(), head.size()));
  head.resize(n);
  std::unique_ptr<layer::ByteSource> whole = std::make_unique<Peeked>(source, head);
  const std::string_view magic = head;
  if (magic.starts_with("\x1f\x8b\x08")) {
    whole = std::make_unique<GzipDecoder>(std::move(whole));
  } else if (magic.starts_with("BZh")) {
    whole = std::make_unique<BzipDecoder>(std::move(whole));
  } else if (magic.starts_with(std::string_view("\xfd\x37\x7a\x58\x5a\0", 6))) {
    whole = std::make_unique<XzDecoder>(std::move(whole));
  } else if (isZstd(magic)) {
    whole = std::make_unique<ZstdDecoder>(std::move(whole));
  }
  return whole;
}

}  // namespace stagewright::stage
