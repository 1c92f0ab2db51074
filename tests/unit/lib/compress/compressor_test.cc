#include "lib/compress/compressor.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>

#include "lib/base/hash.h"
#include "lib/compress/decompressor.h"
#include "lib/compress/gzip_block.h"

namespace stagewright::compress {
namespace {

/// Text, repetitions and noise, as in a real tar; the same on every machine.
std::string someTar(std::size_t size) {
  std::string bytes;
  std::uint32_t state = 7;
  while (bytes.size() < size) {
    state = state * 1664525 + 1013904223;
    if ((state >> 28) < 6) {
      bytes += static_cast<char>(state >> 20);
    } else {
      bytes += "usr/share/doc/package/changelog line ";
      bytes += std::to_string(state % 1000);
    }
  }
  bytes.resize(size);
  return bytes;
}

/// Delivers at most `step` bytes at once.
Reader readerOfBytes(const std::string& bytes, std::size_t step) {
  return [&bytes, step, offset = std::size_t{0}](char* buffer,
                                                 std::size_t size) mutable -> Result<std::size_t> {
    const std::size_t n = std::min({size, step, bytes.size() - offset});
    std::memcpy(buffer, bytes.data() + offset, n);
    offset += n;
    return n;
  };
}

struct Outcome {
  std::string bytes;
  Summary summary;
};

Outcome compressAll(Format format, const std::string& raw, int threads,
                    std::size_t step = 1 << 20) {
  auto compressor = Compressor::make(format, readerOfBytes(raw, step), threads);
  Outcome outcome;
  while (true) {
    Result<std::string_view> piece = compressor->next();
    EXPECT_TRUE(piece);
    if (!piece || piece->empty()) {
      outcome.summary = compressor->summary();
      return outcome;
    }
    outcome.bytes += *piece;
  }
}

std::string decompressAll(const std::string& bytes, std::size_t step = 1 << 20) {
  Decompressor decompressor(readerOfBytes(bytes, step));
  std::string raw;
  std::string buffer(100'000, '\0');
  while (true) {
    Result<std::size_t> n = decompressor.read(buffer.data(), buffer.size());
    EXPECT_TRUE(n) << n.error().message;
    if (!n || *n == 0) {
      return raw;
    }
    raw.append(buffer, 0, *n);
  }
}

class Sizes : public ::testing::TestWithParam<std::tuple<Format, std::size_t>> {};

TEST_P(Sizes, RoundTripsWithRightDigests) {
  const auto [format, size] = GetParam();
  const std::string raw = someTar(size);
  const Outcome outcome = compressAll(format, raw, 2);
  EXPECT_TRUE(decompressAll(outcome.bytes) == raw);
  EXPECT_TRUE(decompressAll(outcome.bytes, 1000) == raw);
  EXPECT_EQ(outcome.summary.rawSha256, sha256Hex(raw));
  EXPECT_EQ(outcome.summary.sha256, sha256Hex(outcome.bytes));
  EXPECT_EQ(outcome.summary.rawSize, static_cast<std::int64_t>(raw.size()));
  EXPECT_EQ(outcome.summary.size, static_cast<std::int64_t>(outcome.bytes.size()));
}

INSTANTIATE_TEST_SUITE_P(AroundBlockBorders, Sizes,
                         ::testing::Combine(::testing::Values(Format::kGzip, Format::kZstd),
                                            ::testing::Values(0, 1, 1024, kGzipBlockSize - 1,
                                                              kGzipBlockSize, kGzipBlockSize + 1,
                                                              5 * kGzipBlockSize + 17)));

TEST(Gzip, DoesNotDependOnThreadsOrPieces) {
  const std::string raw = someTar(3'000'000);
  const std::string one = compressAll(Format::kGzip, raw, 1).bytes;
  EXPECT_TRUE(compressAll(Format::kGzip, raw, 2).bytes == one);
  EXPECT_TRUE(compressAll(Format::kGzip, raw, 5, 4097).bytes == one);
}

TEST(Gzip, KeepsTheBytesThatDigestsWereMadeFrom) {
  // A change of this value changes the digest of every layer that is ever built again.
  EXPECT_EQ(sha256Hex(compressAll(Format::kGzip, someTar(1'000'000), 2).bytes),
            "0ea2ba782de3c49ff2867f6e51e736e19390364df7bd65f149a0a3c69e02f7ae");
}

TEST(Gzip, IsReadByGunzipAsOneMember) {
  const std::string raw = someTar(1'200'000);
  const std::string path = ::testing::TempDir() + "/compressor_test.gz";
  std::ofstream(path, std::ios::binary) << compressAll(Format::kGzip, raw, 2).bytes;
  FILE* pipe = ::popen(("gunzip -c " + path + " | sha256sum").c_str(), "r");
  char text[65] = "";
  ASSERT_EQ(std::fread(text, 1, 64, pipe), 64U);
  EXPECT_EQ(::pclose(pipe), 0);
  EXPECT_EQ(text, sha256Hex(raw));
  ::remove(path.c_str());
}

TEST(Gzip, HasNoTimeAndNoHost) {
  const std::string bytes = compressAll(Format::kGzip, "x", 1).bytes;
  EXPECT_EQ(toHex(bytes.substr(0, 10)), "1f8b08000000000000ff");
}

TEST(Gzip, PassesTheReadersErrorOn) {
  int reads = 0;
  auto compressor = Compressor::make(
      Format::kGzip,
      [&](char* buffer, std::size_t size) -> Result<std::size_t> {
        if (++reads > 3) {
          return unavailable("disk on fire");
        }
        std::memset(buffer, 'a', size);
        return size;
      },
      2);
  Result<std::string_view> piece = compressor->next();
  while (piece && !piece->empty()) {
    piece = compressor->next();
  }
  ASSERT_FALSE(piece);
  EXPECT_EQ(piece.error().message, "disk on fire");
}

TEST(Zstd, DoesNotDependOnThreadsOrPieces) {
  const std::string raw = someTar(5'000'000);
  const std::string one = compressAll(Format::kZstd, raw, 1).bytes;
  EXPECT_TRUE(compressAll(Format::kZstd, raw, 2).bytes == one);
  EXPECT_TRUE(compressAll(Format::kZstd, raw, 5, 4097).bytes == one);
  EXPECT_TRUE(decompressAll(one) == raw);
}

TEST(Zstd, KeepsTheBytesThatDigestsWereMadeFrom) {
  EXPECT_EQ(sha256Hex(compressAll(Format::kZstd, someTar(3'000'000), 2).bytes),
            "00ec0dd92fea76888ebbc2c1e1d8033edd937779f211603236d10f02c54ca22e");
}

TEST(Decompressor, ReadsSeveralMembersAndPlainBytes) {
  const std::string a = compressAll(Format::kGzip, "first ", 1).bytes;
  const std::string b = compressAll(Format::kGzip, "second", 1).bytes;
  EXPECT_EQ(decompressAll(a + b, 3), "first second");
  EXPECT_EQ(decompressAll("plain"), "plain");
  EXPECT_EQ(decompressAll(""), "");
}

TEST(Decompressor, RefusesCutOffAndBrokenStreams) {
  for (const Format format : {Format::kGzip, Format::kZstd}) {
    const std::string whole = compressAll(format, someTar(100'000), 1).bytes;
    std::string broken = whole;
    broken[broken.size() / 2] = static_cast<char>(broken[broken.size() / 2] ^ 0x55);
    for (const std::string& bytes :
         {whole.substr(0, whole.size() - 5), whole.substr(0, 12), broken}) {
      Decompressor decompressor(readerOfBytes(bytes, 4096));
      std::string buffer(50'000, '\0');
      Result<std::size_t> n = decompressor.read(buffer.data(), buffer.size());
      while (n && *n > 0) {
        n = decompressor.read(buffer.data(), buffer.size());
      }
      ASSERT_FALSE(n);
      EXPECT_EQ(n.error().code, Code::kInvalid);
    }
  }
}

}  // namespace
}  // namespace stagewright::compress
