#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/json.h"

namespace stagewright {
namespace {

TEST(Error, NamesOperationObjectAndCause) {
  const Error e = systemError("open", "/no\nsuch", ENOENT).during("load plan");
  EXPECT_EQ(e.message, "load plan: open \"/no\\nsuch\": No such file or directory");
  EXPECT_EQ(e.code, Code::kNotFound);
}

Result<int> half(int n) { return n % 2 == 0 ? Result<int>(n / 2) : Result<int>(invalid("odd")); }
Result<int> quarter(int n) {
  TRY(const int h, half(n));
  TRY(const int q, half(h));
  return q;
}

TEST(Result, TryPassesValuesAndErrors) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(6).error().message, "odd");
}

TEST(Hash, KnownVectors) {
  EXPECT_EQ(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, case 2
  EXPECT_EQ(toHex(hmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(toBase32Lower("foobar"), "mzxw6ytboi");
}

TEST(Hash, HexAndBase64RoundTripAndRefuseRubbish) {
  for (const std::string& text : {std::string(), std::string("a"), std::string("ab"), std::string("abc\0d", 5)}) {
    EXPECT_EQ(*fromHex(toHex(text)), text);
    EXPECT_EQ(*fromBase64(toBase64(text)), text);
  }
  EXPECT_FALSE(fromHex("abc"));
  EXPECT_FALSE(fromHex("zz"));
  EXPECT_FALSE(fromBase64("a"));
  EXPECT_FALSE(fromBase64("YQ=a"));
  EXPECT_FALSE(fromBase64("Y!=="));
}

TEST(Time, ParsesWhatKubernetesWrites) {
  EXPECT_EQ(formatTime(*parseTime("2026-11-23T08:00:01Z")), "2026-11-23T08:00:01Z");
  EXPECT_EQ(formatTime(*parseTime("2026-11-23T10:00:01.5+02:00")), "2026-11-23T08:00:01Z");
  EXPECT_EQ(formatMicroTime(*parseTime("2026-11-23T08:00:01.25Z")), "2026-11-23T08:00:01.250000Z");
  for (const std::string_view bad : {"", "2026", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
                                     "2026-11-23T08:00:01", "2026-11-23T08:00:01.Z", "2026-11-23T08:00:01+2"}) {
    EXPECT_FALSE(parseTime(bad)) << bad;
  }
}

TEST(Duration, ParsesAndFormats) {
  EXPECT_EQ(parseDuration("1h30m")->count(), 5'400'000);
  EXPECT_EQ(parseDuration("500ms")->count(), 500);
  EXPECT_EQ(formatDuration(Millis(90'000)), "1m30s");
  EXPECT_EQ(formatDuration(Millis(0)), "0s");
  for (const std::string_view bad : {"", "5", "-5s", "1.5h", "5d", "99999999999s"}) {
    EXPECT_FALSE(parseDuration(bad)) << bad;
  }
}

TEST(JsonReader, KeepsThePath) {
  const Json value = *parseJson(R"({"spec":{"output":{"image":7},"tags":["a",2],"n":null}})");
  const JsonReader spec = *JsonReader(value).object("spec");
  EXPECT_EQ(spec.object("output")->string("image").error().message, "spec.output.image: expected string, got number");
  EXPECT_EQ(spec.strings("tags").error().message, "spec.tags[1]: expected string, got number");
  EXPECT_EQ(spec.string("missing").error().message, "spec.missing: required, but missing");
  EXPECT_EQ(*spec.optionalString("n"), std::nullopt);
  EXPECT_EQ(spec.onlyKeys({"output", "tags"}).error().message, "spec.n: unknown field");
}

TEST(Json, RefusesDeepNestingAndTruncation) {
  EXPECT_FALSE(parseJson(std::string(100'000, '[')));
  EXPECT_FALSE(parseJson(std::string(600, '[') + std::string(600, ']')));
  EXPECT_TRUE(parseJson(std::string(400, '[') + std::string(400, ']')));
  EXPECT_FALSE(parseJson("{\"a\":"));
}

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/stagewright-file-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
  }
  void TearDown() override { ASSERT_EQ(std::system(("rm -rf " + dir_).c_str()), 0); }
  std::string dir_;
};

TEST_F(FileTest, SavesAtomicallyAndLoadsWithALimit) {
  ASSERT_TRUE(saveFileAtomically(dir_ + "/a", "hello"));
  EXPECT_EQ(*loadFile(dir_ + "/a", 5), "hello");
  EXPECT_EQ(loadFile(dir_ + "/a", 4).error().code, Code::kInvalid);
  EXPECT_EQ(loadFile(dir_ + "/b", 4).error().code, Code::kNotFound);
}

TEST_F(FileTest, SavingNeverWritesThroughAPlantedLink) {
  ASSERT_TRUE(saveFileAtomically(dir_ + "/victim", "keep"));
  ASSERT_EQ(symlink((dir_ + "/victim").c_str(), (dir_ + "/a.tmp").c_str()), 0);
  ASSERT_TRUE(saveFileAtomically(dir_ + "/a", "new"));
  EXPECT_EQ(*loadFile(dir_ + "/victim", 10), "keep");
  EXPECT_EQ(*loadFile(dir_ + "/a", 10), "new");
}

TEST_F(FileTest, OpensBeneathADirectoryOnly) {
  ASSERT_TRUE(makeDirectories(dir_ + "/in/sub"));
  ASSERT_TRUE(saveFileAtomically(dir_ + "/secret", "s"));
  ASSERT_TRUE(saveFileAtomically(dir_ + "/in/sub/file", "f"));
  ASSERT_EQ(symlink("../secret", (dir_ + "/in/link").c_str()), 0);
  ASSERT_EQ(symlink("..", (dir_ + "/in/up").c_str()), 0);
  ASSERT_EQ(mkfifo((dir_ + "/in/fifo").c_str(), 0600), 0);
  const Fd in = *openDirectory(dir_ + "/in");
  EXPECT_EQ(*loadFileBeneath(in.get(), "sub/file", 10), "f");
  for (const char* path : {"link", "../secret", "up/secret", "fifo", "sub"}) {
    EXPECT_EQ(loadFileBeneath(in.get(), path, 10).error().code, Code::kDenied) << path;
  }
  EXPECT_EQ(loadFileBeneath(in.get(), "none", 10).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace stagewright
