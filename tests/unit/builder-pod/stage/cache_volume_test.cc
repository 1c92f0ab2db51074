#include "builder-pod/stage/cache_volume.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "lib/base/file.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::stage {
namespace {

class CacheVolumeTest : public ::testing::Test {
 protected:
  CacheVolumeTest() { EXPECT_TRUE(dir_.shell("mkdir volume")); }

  Result<std::string> take(CacheVolume& volume, const std::string& sharing) {
    plan::Mount mount;
    mount.type = plan::Mount::Type::kCache;
    mount.id = "go";
    mount.sharing = sharing;
    return volume.take("cache-go", mount, maker(), &*stop_);
  }
  CacheVolume::Maker maker() {
    return [this](const std::string& path) {
      ++made_;
      return makeDirectories(path);
    };
  }
  CacheVolume volume() const { return CacheVolume(dir_ / "volume"); }

  layer::TemporaryDirectory dir_;
  Result<Stop> stop_ = Stop::make();
  int made_ = 0;
};

TEST_F(CacheVolumeTest, IsMadeOnceAndFoundAgain) {
  for (int run = 0; run < 2; ++run) {
    CacheVolume mine = volume();
    const auto directory = take(mine, "shared");
    ASSERT_TRUE(directory) << directory.error().message;
    EXPECT_EQ(*directory, dir_ / "volume/cache-go");
    EXPECT_TRUE(
        dir_.shell(run == 0 ? "touch volume/cache-go/kept" : "test -e volume/cache-go/kept"));
  }
  EXPECT_EQ(made_, 1);
  EXPECT_TRUE(dir_.shell("test $(ls volume | wc -l) = 2"));  // the cache and its lock
}

TEST_F(CacheVolumeTest, SharedIsSharedAndPrivateIsNot) {
  CacheVolume first = volume();
  CacheVolume second = volume();
  EXPECT_EQ(take(first, "shared").value(), take(second, "shared").value());
  first.release();
  second.release();
  const std::string one = take(first, "private").value();
  const std::string two = take(second, "private").value();
  EXPECT_NE(one, two);
  first.release();
  CacheVolume third = volume();
  EXPECT_EQ(take(third, "private").value(), one);
}

TEST_F(CacheVolumeTest, LockedWaitsForWhoeverHasIt) {
  CacheVolume first = volume();
  ASSERT_TRUE(take(first, "locked"));
  EXPECT_EQ(take(first, "locked").value(), dir_ / "volume/cache-go");  // the same step, twice
  std::atomic<bool> have = false;
  std::jthread other([&] {
    CacheVolume second = volume();
    EXPECT_TRUE(take(second, "locked"));
    have = true;
  });
  std::this_thread::sleep_for(Millis(150));
  EXPECT_FALSE(have);
  first.release();
  other.join();
  EXPECT_TRUE(have);
}

TEST_F(CacheVolumeTest, AStopEndsTheWait) {
  CacheVolume first = volume();
  CacheVolume second = volume();
  ASSERT_TRUE(take(first, "locked"));
  stop_->request();
  const auto directory = take(second, "locked");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace stagewright::stage
