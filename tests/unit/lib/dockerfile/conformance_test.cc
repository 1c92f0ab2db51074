// Every case of the conformance data, by name. The folder is STAGEWRIGHT_CONFORMANCE, else
// ../shared/conformance beside the checkout; where it is absent the tests are skipped aloud.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/dockerfile/expand.h"
#include "lib/dockerfile/ignore.h"
#include "lib/dockerfile/parser.h"
#include "tests/support/source_dir.h"

namespace stagewright::dockerfile {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLimit = 4 * 1024 * 1024;

fs::path conformanceFolder() {
  const char* given = std::getenv("STAGEWRIGHT_CONFORMANCE");
  return given != nullptr ? fs::path(given)
                          : sourceDir() / ".." / "shared" / "conformance";
}

std::string load(const fs::path& path) { return loadFile(path.string(), kLimit).value_or(""); }

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string::npos ? std::string()
                                    : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    parts.push_back(part);
  }
  return parts;
}

std::vector<fs::path> foldersIn(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

class Conformance : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::is_directory(folder_)) {
      GTEST_SKIP() << "no conformance data at " << folder_
                   << "; set STAGEWRIGHT_CONFORMANCE to its folder";
    }
  }
  const fs::path folder_ = conformanceFolder();
};

TEST_F(Conformance, SyntaxTrees) {
  int cases = 0;
  for (const fs::path& folder : foldersIn(folder_ / "buildkit-parser" / "testfiles")) {
    SCOPED_TRACE(folder.filename().string());
    const Result<std::string> dump = dumpSyntaxTree({"Dockerfile", load(folder / "Dockerfile")});
    ASSERT_TRUE(dump) << dump.error().message;
    EXPECT_EQ(*dump, load(folder / "result"));
    ++cases;
  }
  EXPECT_GE(cases, 33);
}

TEST_F(Conformance, SyntaxErrors) {
  const std::map<std::string, std::string> messages = {
      {"env_no_value", "ENV must have two arguments"},
      {"only_comments", "file with no instructions"},
      {"shykes-nested-json",
       "when using JSON array syntax, arrays must be comprised of strings only"},
      {"empty_dockerfile", "the Dockerfile cannot be empty"},
  };
  int cases = 0;
  for (const fs::path& folder : foldersIn(folder_ / "buildkit-parser" / "testfiles-negative")) {
    const std::string name = folder.filename().string();
    SCOPED_TRACE(name);
    const Result<ParsedFile> file = parseDockerfile({"Dockerfile", load(folder / "Dockerfile")});
    ASSERT_FALSE(file);
    if (const auto expected = messages.find(name); expected != messages.end()) {
      EXPECT_NE(file.error().message.find(expected->second), std::string::npos)
          << file.error().message;
    }
    ++cases;
  }
  EXPECT_GE(cases, 4);
}

TEST_F(Conformance, LineRanges) {
  const std::string text = load(folder_ / "buildkit-parser" / "testfile-line" / "Dockerfile");
  const Result<ParsedFile> file = parseDockerfile({"Dockerfile", text});
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->stages.size(), 1U);
  const Stage& stage = file->stages.front();
  ASSERT_EQ(stage.instructions.size(), 2U);
  EXPECT_EQ(stage.range.line, 5);
  EXPECT_EQ(stage.range.endLine, 5);
  EXPECT_EQ(stage.instructions[0].range.line, 11);
  EXPECT_EQ(stage.instructions[0].range.endLine, 12);
  EXPECT_EQ(stage.instructions[1].range.line, 17);
  EXPECT_EQ(stage.instructions[1].range.endLine, 31);
}

TEST_F(Conformance, ExpansionOfOneWord) {
  const EnvironmentList environment({"PWD=/home", "SHELL=bash", "KOREAN=한국어", "NULL="});
  int cases = 0;
  for (const std::string& line : split(load(folder_ / "buildkit-shell" / "envVarTest"), '\n')) {
    if (trimmed(line).empty() || line.front() == '#') {
      continue;
    }
    std::vector<std::string> fields = split(line, '|');
    fields.resize(3);
    if (trimmed(fields[0]) == "W") {
      continue;
    }
    SCOPED_TRACE(line);
    const std::string expected = trimmed(fields[2]);
    const Result<Expansion> expansion = expandWord(trimmed(fields[1]), environment);
    EXPECT_EQ(expansion.has_value(), expected != "error");
    if (expansion && expected != "error") {
      EXPECT_EQ(expansion->text, expected);
    }
    ++cases;
  }
  EXPECT_GE(cases, 228);
}

TEST_F(Conformance, ExpansionIntoWords) {
  EnvironmentList environment;
  int cases = 0;
  for (const std::string& line : split(load(folder_ / "buildkit-shell" / "wordsTest"), '\n')) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    if (line.rfind("ENV ", 0) == 0) {
      const std::string assignment = line.substr(line.find_first_not_of(' ', 3));
      const std::size_t equals = assignment.find('=');
      environment.set(assignment.substr(0, equals), assignment.substr(equals + 1));
      continue;
    }
    SCOPED_TRACE(line);
    const std::size_t bar = line.find('|');
    const std::string right = line.substr(line.find_first_not_of(' ', bar + 1));
    const Result<Expansion> expansion = expandWord(trimmed(line.substr(0, bar)), environment);
    if (right == "error") {
      EXPECT_FALSE(expansion);
    } else {
      ASSERT_TRUE(expansion) << expansion.error().message;
      EXPECT_EQ(expansion->words, split(right, ','));
    }
    ++cases;
  }
  EXPECT_GE(cases, 20);
}

TEST_F(Conformance, PatternMatching) {
  int cases = 0;
  for (const std::string& line : split(load(folder_ / "patternmatcher.tsv"), '\n')) {
    const std::vector<std::string> fields = split(line, '\t');
    if (fields.size() < 5 || fields[0] == "id") {
      continue;
    }
    SCOPED_TRACE(line);
    const Result<Json> patterns = parseJson(fields[1]);
    ASSERT_TRUE(patterns);
    const Result<IgnoreMatcher> matcher =
        makeIgnoreMatcher(patterns->get<std::vector<std::string>>());
    ASSERT_EQ(matcher.has_value(), fields[3] != "error");
    if (matcher) {
      EXPECT_EQ(matcher->excludes(fields[2]), fields[3] == "yes");
      if (fields[4] == "any") {
        EXPECT_EQ(matcher->step(fields[2], {}).excluded(), fields[3] == "yes");
      }
    }
    ++cases;
  }
  EXPECT_GE(cases, 127);
}

TEST_F(Conformance, IgnoreFiles) {
  int cases = 0;
  for (const fs::path& folder : foldersIn(folder_ / "ignorefile")) {
    SCOPED_TRACE(folder.filename().string());
    const Result<Json> expected = parseJson(load(folder / "expected.json"));
    ASSERT_TRUE(expected);
    const std::vector<std::string> patterns = parseIgnoreFile(load(folder / "input"));
    EXPECT_EQ(patterns, (*expected)["patterns"].get<std::vector<std::string>>());
    const Result<IgnoreMatcher> matcher = makeIgnoreMatcher(patterns);
    const Json& error = (*expected)["matcher_error"];
    EXPECT_EQ(matcher ? Json() : Json(matcher.error().message), error);
    ++cases;
  }
  EXPECT_GE(cases, 16);
}

}  // namespace
}  // namespace stagewright::dockerfile
