#include "local/file_digests.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "builder-pod/stage/copy_engine.h"
#include "lib/layer/tree.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::local {
namespace {

using layer::TemporaryDirectory;

class FileDigestsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(dir_.shell("mkdir -p src/a to && echo one >src/one && head -c 200000 /dev/urandom >src/a/two"));
    auto tree = stage::makeDirectoryTree(dir_ / "src");
    ASSERT_TRUE(tree);
    tree_ = std::move(*tree);
  }

  std::string keyOf(FileDigests& digests) {
    Sha256 hash;
    EXPECT_TRUE(addTree(hash, *tree_, "", digests));
    return hash.hex();
  }

  TemporaryDirectory dir_;
  std::unique_ptr<stage::SourceTree> tree_;
};

TEST_F(FileDigestsTest, LearnsFromACopyWhatReadingWouldHaveSaid) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "SKIPPED: owners need root";
  }
  FileDigests computed(dir_ / "none");
  const std::string expected = keyOf(computed);
  FileDigests learned(dir_ / "none");
  auto to = layer::Tree::open(dir_ / "to", {}, {});
  ASSERT_TRUE(to);
  stage::CopyOptions options;
  options.witness = &learned;
  options.owner = stage::Owner{};
  stage::CopyEngine engine(*to, std::move(options));
  const Status copied = engine.copy(*tree_, "", "/");
  ASSERT_TRUE(copied) << copied.error().message;
  ASSERT_TRUE(dir_.shell("diff -r src to"));
  EXPECT_EQ(keyOf(learned), expected);
}

TEST_F(FileDigestsTest, ForgetsWhatChanged) {
  FileDigests digests(dir_ / "none");
  const std::string before = keyOf(digests);
  dir_.write("src/one", "three\n");
  EXPECT_NE(keyOf(digests), before);
  dir_.write("src/one", "one\n");
  EXPECT_EQ(keyOf(digests), before);
}

TEST_F(FileDigestsTest, SavesOnlyWhatWasOldEnough) {
  FileDigests young(dir_ / "saved");
  keyOf(young);
  ASSERT_TRUE(young.save());
  EXPECT_TRUE(dir_.shell("[ ! -s saved ] || ! grep -q a/two saved"));
  ASSERT_TRUE(dir_.shell("sleep 0.15"));
  FileDigests old(dir_ / "saved");
  const std::string key = keyOf(old);
  ASSERT_TRUE(old.save());
  EXPECT_TRUE(dir_.shell("grep -q a/two saved"));
  FileDigests loaded(dir_ / "saved");
  EXPECT_EQ(keyOf(loaded), key);
}

}  // namespace
}  // namespace stagewright::local
