#include <sys/socket.h>
#include <sys/un.h>

#include "builder-pod/prepare/config_map_source.h"
#include "builder-pod/prepare/context_selection.h"
#include "builder-pod/prepare/context_transfer.h"
#include "builder-pod/prepare/directory.h"
#include "fixtures.h"
#include "gmock/gmock.h"

namespace stagewright::prepare {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace stagewright::prepare::testing;  // NOLINT

class TransferContext : public ::testing::Test {
 protected:
  std::vector<std::string> transfer(std::vector<std::string> patterns,
                                    std::string_view ignoreFile = "",
                                    TransferOptions options = {}) {
    fs::remove_all(to_);
    directory_.directory("to");
    const Fd from = openRoot(from_);
    const Fd to = openRoot(to_);
    ContextSelection selection;
    for (const std::string& pattern : patterns) {
      const bool wildcards = pattern.find_first_of("*?[\\") != std::string::npos;
      selection.add(from.get(), {pattern, wildcards, wildcards && parents_});
    }
    auto ignore = dockerfile::makeIgnoreMatcher(dockerfile::parseIgnoreFile(ignoreFile)).value();
    const auto count = transferContext(from.get(), to.get(), selection, ignore, options);
    EXPECT_TRUE(count) << (count ? "" : count.error().message);
    count_ = count.value_or(TransferCount{});
    return treeOf(to_);
  }

  TemporaryDirectory directory_;
  std::string from_ = directory_.directory("from");
  std::string to_ = directory_.directory("to");
  TransferCount count_;
  bool parents_ = false;
};

TEST_F(TransferContext, TakesOnlyWhatIsUsed) {
  writeFile(from_ + "/go.mod", "m");
  writeFile(from_ + "/cmd/main.go", "mm");
  writeFile(from_ + "/cmd/sub/x.go", "x");
  writeFile(from_ + "/big/blob", "b");
  EXPECT_THAT(transfer({"go.mod", "/cmd/"}),
              ElementsAre("cmd/", "cmd/main.go", "cmd/sub/", "cmd/sub/x.go", "go.mod"));
  EXPECT_EQ(count_.files, 3);
  EXPECT_EQ(count_.bytes, 4);
  EXPECT_THAT(transfer({"cmd/sub"}), ElementsAre("cmd/", "cmd/sub/", "cmd/sub/x.go"));
  EXPECT_THAT(transfer({"."}), ElementsAre("big/", "big/blob", "cmd/", "cmd/main.go", "cmd/sub/",
                                           "cmd/sub/x.go", "go.mod"));
  EXPECT_THAT(transfer({"none", "go.mod/x"}), IsEmpty());
  EXPECT_THAT(transfer({"../../go.mod"}), ElementsAre("go.mod"));
}

TEST_F(TransferContext, MatchesWildcardsInEveryComponent) {
  for (const char* path : {"/a/x.go", "/a/y.txt", "/b/z.go", "/.hidden.go", "/b/c/w.go"}) {
    writeFile(from_ + path, "");
  }
  EXPECT_THAT(transfer({"*/*.go"}), ElementsAre("a/", "a/x.go", "b/", "b/z.go"));
  EXPECT_THAT(transfer({"*.go"}), ElementsAre(".hidden.go"));
  EXPECT_THAT(transfer({"b/**/w.go"}), ElementsAre("b/", "b/c/", "b/c/w.go"));
  parents_ = true;
  EXPECT_THAT(transfer({"b/**/w.go"}), ElementsAre("b/", "b/c/", "b/c/w.go", "b/z.go"));
  parents_ = false;
  writeFile(from_ + "/[odd]/f", "");
  EXPECT_THAT(transfer({"[[]odd]"}), ElementsAre("[odd]/", "[odd]/f"));
  EXPECT_THAT(transfer({"a/[xy].*"}), ElementsAre("a/", "a/x.go", "a/y.txt"));
}

TEST_F(TransferContext, AppliesIgnoreRulesWithExceptions) {
  for (const char* path : {"/keep", "/node_modules/m/index.js", "/docs/a.md", "/docs/README.md",
                           "/docs/deep/README.md"}) {
    writeFile(from_ + path, "");
  }
  fs::create_directories(from_ + "/empty");
  EXPECT_THAT(transfer({"."}, "node_modules\ndocs\n!**/README.md\n"),
              ElementsAre("docs/", "docs/README.md", "docs/deep/", "docs/deep/README.md", "empty/",
                          "keep"));
  EXPECT_THAT(transfer({"node_modules"}, "node_modules\n"), IsEmpty());
}

TEST_F(TransferContext, FollowsNamedLinksInsideAndNeverOutside) {
  writeFile(directory_ / "secret/key", "secret");
  writeFile(from_ + "/real/data", "data");
  fs::create_symlink("real", from_ + "/link");
  fs::create_symlink("/real/data", from_ + "/absolute");
  fs::create_symlink("../secret/key", from_ + "/up");
  fs::create_symlink(directory_ / "secret", from_ + "/out");
  fs::create_symlink("loop", from_ + "/loop");
  EXPECT_THAT(transfer({"link/data"}), ElementsAre("link -> real", "real/", "real/data"));
  EXPECT_THAT(transfer({"absolute"}), ElementsAre("absolute -> /real/data", "real/", "real/data"));
  EXPECT_THAT(
      transfer({"up", "loop", "out/key"}),
      ElementsAre("loop -> loop", "out -> " + (directory_ / "secret"), "up -> ../secret/key"));
  // Inside a copied directory they are only links.
  EXPECT_THAT(transfer({"."}), Contains("out -> " + (directory_ / "secret")));
  EXPECT_THAT(transfer({"."}), Not(Contains("out/key")));
}

TEST_F(TransferContext, DoesNotMultiplyLinksWithWildcards) {
  for (const char* name : {"/a", "/b", "/c", "/d"}) {
    fs::create_symlink(".", from_ + name);
  }
  writeFile(from_ + "/file", "");
  std::string pattern = "file";
  for (int i = 0; i < 30; ++i) {
    pattern = "*/" + pattern;
  }
  EXPECT_THAT(transfer({pattern}), Contains("file"));
}

TEST_F(TransferContext, KeepsModesTimesHardLinksAndHoles) {
  writeFile(from_ + "/bin/tool", "t", 04755);
  writeFile(from_ + "/a", "same");
  fs::create_hard_link(from_ + "/a", from_ + "/b");
  writeFile(from_ + "/sparse", "begin");
  fs::resize_file(from_ + "/sparse", 64 << 20);
  ::chmod((from_ + "/bin").c_str(), 02750);
  const timespec times[2] = {{5, 0}, {1234567, 89}};
  for (const char* path : {"/bin/tool", "/bin", "/a", ""}) {
    ::utimensat(AT_FDCWD, (from_ + path).c_str(), times, 0);
  }
  transfer({"."});
  struct stat tool {
  }, bin{}, a{}, b{}, sparse{}, root{};
  ::stat((to_ + "/bin/tool").c_str(), &tool);
  ::stat((to_ + "/bin").c_str(), &bin);
  ::stat((to_ + "/a").c_str(), &a);
  ::stat((to_ + "/b").c_str(), &b);
  ::stat((to_ + "/sparse").c_str(), &sparse);
  ::stat(to_.c_str(), &root);
  EXPECT_EQ(tool.st_mode & 07777, 04755u);
  EXPECT_EQ(bin.st_mode & 07777, 02750u);
  EXPECT_EQ(bin.st_mtim.tv_sec, 1234567);
  EXPECT_EQ(tool.st_mtim.tv_nsec, 89);
  EXPECT_EQ(root.st_mtim.tv_sec, 1234567);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(sparse.st_size, 64 << 20);
  EXPECT_LT(sparse.st_blocks * 512, 1 << 20);
  EXPECT_EQ(readFile(to_ + "/sparse").substr(0, 6), std::string("begin\0", 6));
}

TEST_F(TransferContext, MovesAndStampsWhatIsOurs) {
  writeFile(from_ + "/dir/file", "text");
  fs::create_symlink("file", from_ + "/dir/link");
  struct stat before {};
  ::stat((from_ + "/dir/file").c_str(), &before);
  TransferOptions options;
  options.move = true;
  options.fixedTime = 1700000000;
  transfer({"dir"}, "", options);
  for (const char* path : {"/dir", "/dir/file", "/dir/link"}) {
    struct stat after {};
    ::lstat((to_ + path).c_str(), &after);
    EXPECT_EQ(after.st_mtim.tv_sec, 1700000000) << path;
  }
  struct stat after {};
  ::stat((to_ + "/dir/file").c_str(), &after);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_FALSE(fs::exists(from_ + "/dir/file"));
}

TEST_F(TransferContext, TakesOddFiles) {
  ASSERT_EQ(::mkfifo((from_ + "/fifo").c_str(), 0644), 0);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (from_ + "/socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  writeFile(from_ + "/new\nline \xff", "x");
  EXPECT_THAT(transfer({"."}), ElementsAre("fifo", "new\nline \xff", "socket"));
  EXPECT_TRUE(fs::is_fifo(to_ + "/fifo"));
  EXPECT_TRUE(fs::is_regular_file(to_ + "/socket"));
}

TEST(CopyConfigMap, TurnsTheKubeletsLinksIntoFiles) {
  TemporaryDirectory directory;
  const std::string mount = directory.directory("mount");
  writeFile(mount + "/..2026_01_01/main.go", "package main");
  writeFile(mount + "/..2026_01_01/sub/run.sh", "#!", 0755);
  fs::create_symlink("..2026_01_01", mount + "/..data");
  fs::create_symlink("..data/main.go", mount + "/main.go");
  fs::create_symlink("..data/sub", mount + "/sub");
  const std::string into = directory.directory("into");
  ASSERT_TRUE(copyConfigMap(mount, into));
  EXPECT_THAT(treeOf(into), ElementsAre("main.go", "sub/", "sub/run.sh"));
  EXPECT_EQ(fs::status(into + "/sub/run.sh").permissions(), fs::perms(0755));
}

TEST(CopyConfigMap, AnEmptyMountIsAMissingConfigMap) {
  TemporaryDirectory directory;
  const auto outcome = copyConfigMap(directory.directory("mount"), directory.directory("into"));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().failure.reason, "SourceNotFound");
}

TEST(RemoveTree, TakesReadOnlyDirectoriesAndLeavesTargetsOfLinks) {
  TemporaryDirectory directory;
  writeFile(directory / "keep/file", "x");
  writeFile(directory / "gone/a/b", "x");
  fs::create_directory_symlink(directory / "keep", directory / "gone/link");
  ::chmod((directory / "gone/a").c_str(), 0500);
  ASSERT_TRUE(removeTree(directory / "gone"));
  EXPECT_THAT(treeOf(directory.path()), ElementsAre("keep/", "keep/file"));
  EXPECT_TRUE(removeTree(directory / "gone"));
}

}  // namespace
}  // namespace stagewright::prepare
