// Upper directories as an overlay leaves them. Whiteouts are devices, so this needs root.
#include "local/upper_changes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace stagewright::local {
namespace {

namespace fs = std::filesystem;

class UpperChanges : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "needs root: whiteouts are devices";
    }
    std::string name = (fs::temp_directory_path() / "upper-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::create_directories(upper());
    fs::create_directories(base());
  }
  void TearDown() override {
    if (!root_.empty()) {
      fs::remove_all(root_);
    }
  }

  fs::path upper() const { return root_ / "upper"; }
  fs::path base() const { return root_ / "base"; }
  static void put(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    const timespec times[2] = {{1'000, 0}, {1'000, 0}};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
  }
  void whiteout(const std::string& path) const {
    fs::create_directories((upper() / path).parent_path());
    ASSERT_EQ(::mknod((upper() / path).c_str(), S_IFCHR, makedev(0, 0)), 0);
  }
  void opaque(const std::string& path) const {
    fs::create_directories(upper() / path);
    ASSERT_EQ(::setxattr((upper() / path).c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  }
  /// `-path` is a whiteout.
  std::vector<std::string> changes() const {
    const auto items = findUpperChanges(upper().string(), base().string());
    std::vector<std::string> out;
    for (const layer::LayerItem& item : items.value_or(std::vector<layer::LayerItem>{{"error", false}})) {
      out.push_back((item.deleted ? "-" : "") + item.path);
    }
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  fs::path root_;
};

using List = std::vector<std::string>;

TEST_F(UpperChanges, ListsNewAndChangedFilesButNotTheDirectoriesOnTheWay) {
  put(base() / "d/old", "1");
  put(upper() / "d/old", "two");
  put(upper() / "d/new", "3");
  EXPECT_EQ(changes(), (List{"d/new", "d/old"}));
}

TEST_F(UpperChanges, LeavesOutWhatWasCopiedUpAndIsTheSame) {
  put(base() / "f", "same");
  put(upper() / "f", "same");
  EXPECT_EQ(changes(), List{});
}

TEST_F(UpperChanges, SeesOtherContentBehindEqualTimesAndSizes) {
  put(base() / "f", "this");
  put(upper() / "f", "that");
  EXPECT_EQ(changes(), List{"f"});
}

TEST_F(UpperChanges, SeesAModeAndADirectorysMode) {
  put(base() / "d/f", "x");
  put(upper() / "d/f", "x");
  ::chmod((upper() / "d/f").c_str(), 0600);
  ::chmod((upper() / "d").c_str(), 0700);
  EXPECT_EQ(changes(), (List{"d", "d/f"}));
}

TEST_F(UpperChanges, WritesAWhiteoutOnlyForWhatWasThere) {
  put(base() / "gone", "x");
  whiteout("gone");
  whiteout("never");
  EXPECT_EQ(changes(), List{"-gone"});
}

TEST_F(UpperChanges, SpellsOutAnOpaqueDirectory) {
  put(base() / "d/a", "1");
  put(base() / "d/sub/b", "2");
  put(base() / "d/kept", "3");
  opaque("d");
  put(upper() / "d/kept", "3");
  put(upper() / "d/new", "4");
  EXPECT_EQ(changes(), (List{"-d/a", "-d/sub", "d/new"}));
}

TEST_F(UpperChanges, TakesADirectoryOverAFileAsOneChangeAndItsContentAsNew) {
  put(base() / "x", "file");
  opaque("x");
  put(upper() / "x/y", "1");
  EXPECT_EQ(changes(), (List{"x", "x/y"}));
}

}  // namespace
}  // namespace stagewright::local
