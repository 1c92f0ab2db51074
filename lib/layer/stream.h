// Bytes that flow: what tar is written to and read from. Single-threaded, blocking.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/hash.h"

namespace stagewright::layer {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status write(std::string_view bytes) = 0;
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// At least one byte, or 0 at the end. Errors: of the medium, kInvalid for a broken compressed
  /// stream.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;
};

/// Writes to a descriptor through a buffer, hashing and counting. The descriptor is borrowed.
class HashingFileSink final : public ByteSink {
 public:
  HashingFileSink(int fd, std::string name);
  Status write(std::string_view bytes) override;
  /// Flushes. Nothing may be written afterwards.
  Status finish();
  /// Of everything written; ends the hash. REQUIRES: finish() was called.
  std::string sha256Hex() { return hash_.hex(); }
  std::int64_t size() const { return size_; }

 private:
  int fd_;
  std::string name_;
  std::string buffer_;
  Sha256 hash_;
  std::int64_t size_ = 0;
};

/// Collects in memory, for tests and small archives.
class StringSink final : public ByteSink {
 public:
  Status write(std::string_view bytes) override;
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Reads from a descriptor's own position. The descriptor is borrowed.
class FileSource final : public ByteSource {
 public:
  FileSource(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override;

 private:
  int fd_;
  std::string name_;
};

/// Reads `length` bytes of a descriptor from `offset` on, by pread: several may share the
/// descriptor.
class RangeSource final : public ByteSource {
 public:
  RangeSource(int fd, std::int64_t offset, std::int64_t length, std::string name);
  Result<std::size_t> read(char* buffer, std::size_t size) override;

 private:
  int fd_;
  std::int64_t offset_;
  std::int64_t left_;
  std::string name_;
};

/// Reads bytes that outlive it.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string_view bytes) : bytes_(bytes) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override;

 private:
  std::string_view bytes_;
};

/// Hashes and counts what passes through. Borrows its source.
class HashingSource final : public ByteSource {
 public:
  explicit HashingSource(ByteSource& source) : source_(source) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override;
  /// Reads the rest, so that the digest covers trailing bytes too.
  Status drain();
  std::string sha256Hex() { return hash_.hex(); }
  std::int64_t size() const { return size_; }

 private:
  ByteSource& source_;
  Sha256 hash_;
  std::int64_t size_ = 0;
};

/// Fills `buffer` unless the end comes first; returns how much was read.
Result<std::size_t> readFully(ByteSource& source, char* buffer, std::size_t size);

}  // namespace stagewright::layer
