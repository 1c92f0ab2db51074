#include "lib/oci/reference.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stagewright::oci {
namespace {

const std::string kHex(64, 'a');

TEST(ParseDigest, AcceptsSha256Only) {
  EXPECT_EQ(Digest::parse("sha256:" + kHex)->hex(), kHex);
  const std::vector<std::string> bad = {"",
                                        ":",
                                        "sha256",
                                        "sha256:",
                                        kHex,
                                        "sha256:" + kHex + "a",
                                        "sha256:" + std::string(64, 'A'),
                                        "sha256:" + std::string(64, 'g'),
                                        "sha512:" + kHex + kHex,
                                        "sha256:" + kHex + "\n",
                                        std::string("sha256:\0", 8) + kHex};
  for (const std::string& text : bad) {
    const auto result = Digest::parse(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Code::kInvalid);
  }
}

TEST(Digest, OfBytesIsTheKnownHashOfNothing) {
  EXPECT_EQ(Digest::ofBytes("").str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_TRUE(Digest().empty());
  EXPECT_EQ(Digest().hex(), "");
}

struct NameCase {
  std::string text;
  std::string registry;
  std::string path;
  std::string tag;
};

TEST(ParseReference, CompletesFamiliarNames) {
  const std::vector<NameCase> cases = {
      {"golang", "docker.io", "library/golang", ""},
      {"golang:1.22", "docker.io", "library/golang", "1.22"},
      {"user/app", "docker.io", "user/app", ""},
      {"docker.io/golang", "docker.io", "library/golang", ""},
      {"index.docker.io/golang", "docker.io", "library/golang", ""},
      {"localhost/app:x", "localhost", "app", "x"},
      {"localhost:5000", "docker.io", "library/localhost", "5000"},
      {"localhost:5000/app", "localhost:5000", "app", ""},
      {"10.89.0.1:5001/a/b_c/d__e/f--g:v1_2.3-4", "10.89.0.1:5001", "a/b_c/d__e/f--g", "v1_2.3-4"},
      {"[::1]:5000/app", "[::1]:5000", "app", ""},
      {"Registry.Example.com/app", "Registry.Example.com", "app", ""},
      {"gcr.io/distroless/static-debian12:nonroot", "gcr.io", "distroless/static-debian12",
       "nonroot"},
  };
  for (const NameCase& c : cases) {
    const auto result = parseReference(c.text);
    ASSERT_TRUE(result) << c.text << ": " << result.error().message;
    EXPECT_EQ(result->repository.registry, c.registry) << c.text;
    EXPECT_EQ(result->repository.path, c.path) << c.text;
    EXPECT_EQ(result->tag.value_or(""), c.tag) << c.text;
    EXPECT_FALSE(result->digest);
  }
}

TEST(ParseReference, KeepsTagBesideDigest) {
  const auto result = parseReference("golang:1.22@sha256:" + kHex);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->str(), "docker.io/library/golang:1.22@sha256:" + kHex);
  EXPECT_EQ(result->pinned(*result->digest), "docker.io/library/golang@sha256:" + kHex);
  EXPECT_EQ(parseReference("golang")->tagOrLatest(), "latest");
}

TEST(ParseReference, RefusesWhatTheGrammarDoesNotKnow) {
  const std::vector<std::string> bad = {"",
                                        " ",
                                        "a b",
                                        "golang:",
                                        ":tag",
                                        "a//b",
                                        "/a",
                                        "a/",
                                        "a/../b",
                                        "a..b",
                                        "a._b",
                                        "-a",
                                        "a-",
                                        "a___b",
                                        "golang@",
                                        "golang@x",
                                        "a:b:c",
                                        "a:-x",
                                        "host:port/a",
                                        "ho_st:1/a",
                                        "host.:1/a",
                                        "[::1/a",
                                        "[g]:1/a",
                                        "http://a/b",
                                        "a@sha256:" + kHex + "@sha256:" + kHex,
                                        kHex,
                                        "golang\n",
                                        std::string("a\0b", 3),
                                        "a:" + std::string(129, 'x'),
                                        "ünicode",
                                        std::string(256, 'a'),
                                        std::string(100000, '/'),
                                        std::string(100000, 'a')};
  for (const std::string& text : bad) {
    const auto result = parseReference(text);
    ASSERT_FALSE(result) << text.substr(0, 80);
    EXPECT_EQ(result.error().code, Code::kInvalid);
    EXPECT_EQ(result.error().message.rfind("invalid reference format", 0), 0U)
        << result.error().message;
    EXPECT_LT(result.error().message.size(), 1200U);
  }
}

TEST(ParseReference, SaysThatUpperCaseIsWrong) {
  EXPECT_EQ(parseReference("Base").error().message,
            "invalid reference format: repository name (library/Base) must be lowercase");
}

TEST(ParseRepository, RefusesTagAndDigest) {
  EXPECT_EQ(parseRepository("10.0.0.1:5000/a/b")->str(), "10.0.0.1:5000/a/b");
  EXPECT_FALSE(parseRepository("a:b"));
  EXPECT_FALSE(parseRepository("a@sha256:" + kHex));
}

TEST(IsValidTag, FollowsTheGrammar) {
  for (const char* tag : {"latest", "v1.0", "_x", "A-b_c.d"}) {
    EXPECT_TRUE(isValidTag(tag)) << tag;
  }
  for (const char* tag : {"", ".x", "-x", "a b", "a/b", "a:b", "a\n"}) {
    EXPECT_FALSE(isValidTag(tag)) << tag;
  }
  EXPECT_TRUE(isValidTag(std::string(128, 'x')));
  EXPECT_FALSE(isValidTag(std::string(129, 'x')));
}

}  // namespace
}  // namespace stagewright::oci
