#include "local/contexts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>

#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::local {
namespace {

class Materialise : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "SKIPPED: owners need root";
    }
    ASSERT_TRUE(dir_.shell("mkdir -p src/a && echo one >src/a/one && ln -s one src/a/link && chown -hR 0:0 src"));
    auto store = Store::open(dir_ / "store");
    ASSERT_TRUE(store);
    store_.emplace(std::move(*store));
  }

  std::string mounted(const std::string& path, const std::vector<std::string>& ignored = {}) {
    auto ignore = dockerfile::makeIgnoreMatcher(ignored);
    EXPECT_TRUE(ignore);
    contexts_.push_back(std::make_unique<Context>(*store_, dir_ / "src", std::move(*ignore)));
    return contexts_.back()->materialise(path).value_or("");
  }

  layer::TemporaryDirectory dir_;
  std::optional<Store> store_;
  std::vector<std::unique_ptr<Context>> contexts_;
};

TEST_F(Materialise, IsTheDirectoryItselfWhereACopyWouldBeTheSame) {
  EXPECT_EQ(mounted("."), dir_ / "src");
  EXPECT_EQ(mounted("a/link"), dir_ / "src/a/one");
}

TEST_F(Materialise, IsACopyWhereFilesAreLeftOut) {
  const std::string copy = mounted("a", {"a/link"});
  EXPECT_NE(copy, dir_ / "src/a");
  EXPECT_TRUE(dir_.shell("test -f " + copy + "/one && ! test -L " + copy + "/link"));
}

TEST_F(Materialise, IsACopyWhereOwnersDiffer) {
  ASSERT_TRUE(dir_.shell("chown 1000:1000 src/a/one"));
  const std::string copy = mounted(".");
  EXPECT_NE(copy, dir_ / "src");
  EXPECT_TRUE(dir_.shell("test \"$(stat -c %u:%g " + copy + "/a/one)\" = 0:0"));
}

}  // namespace
}  // namespace stagewright::local
