// Whole error texts: tests/golden/dockerfile/errors/<case>/{Dockerfile,message}. UPDATE_GOLDEN=1
// rewrites the messages.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "lib/base/file.h"
#include "lib/dockerfile/parser.h"
#include "tests/support/source_dir.h"

namespace stagewright::dockerfile {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kGoldenLimit = 4 * 1024 * 1024;

std::vector<std::string> caseNames() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(sourceDir() /
                                                  "tests/golden/dockerfile/errors")) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string testName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class GoldenError : public testing::TestWithParam<std::string> {};

TEST_P(GoldenError, HasThisText) {
  const fs::path folder =
      sourceDir() / "tests/golden/dockerfile/errors" / GetParam();
  const Result<std::string> text = loadFile((folder / "Dockerfile").string(), kGoldenLimit);
  ASSERT_TRUE(text) << text.error().message;
  const Result<ParsedFile> file = parseDockerfile({"Dockerfile", *text});
  ASSERT_FALSE(file) << "parsing succeeded";
  EXPECT_EQ(file.error().code, Code::kInvalid);
  EXPECT_TRUE(file.error().where.has_value());
  const std::string actual = file.error().message + "\n";
  const std::string path = (folder / "message").string();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(saveFileAtomically(path, actual));
    GTEST_SKIP() << "rewrote " << path;
  }
  EXPECT_EQ(actual, loadFile(path, kGoldenLimit).value_or("(no golden file)"));
}

INSTANTIATE_TEST_SUITE_P(Dockerfile, GoldenError, testing::ValuesIn(caseNames()), testName);

}  // namespace
}  // namespace stagewright::dockerfile
