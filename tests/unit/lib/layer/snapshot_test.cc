#include "lib/layer/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::layer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string letter(Change::Kind kind) {
  return kind == Change::Kind::kAdded ? "A " : kind == Change::Kind::kModified ? "M " : "D ";
}

/// What `command` changes in a small tree, as "A path" lines.
std::vector<std::string> changesBy(const std::string& command,
                                   const SnapshotOptions& options = {}) {
  TemporaryDirectory dir;
  EXPECT_TRUE(dir.shell(
      "mkdir -p d/sub e empty excluded/x; echo one > d/a; echo two > d/b; echo three > d/sub/c; "
      "ln -s a d/link; ln d/b d/hard; echo x > excluded/x/y; mkfifo d/fifo; touch -d @1500000000 "
      "d/a e"));
  const auto root = Root::open(dir.path());
  EXPECT_TRUE(root);
  const auto before = loadSnapshot(*root, options);
  EXPECT_TRUE(before);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(dir.shell(command)) << command;
  const auto after = loadSnapshot(*root, options);
  EXPECT_TRUE(after);
  std::vector<std::string> out;
  for (const Change& change : diffSnapshots(*before, *after)) {
    out.push_back(letter(change.kind) + change.path);
    EXPECT_EQ(change.node == nullptr, change.kind == Change::Kind::kDeleted);
  }
  return out;
}

TEST(Snapshot, SeesEveryKindOfChange) {
  const std::vector<std::pair<const char*, std::vector<std::string>>> cases = {
      {"true", {}},
      {"cat d/a; ls d", {}},
      {"echo more >> d/a", {"M d/a"}},
      {"echo ONE > d/a", {"M d/a"}},
      {"echo ONE > d/a; touch -d @1500000000 d/a", {"M d/a"}},
      {"cp -p d/a n; mv n d/a", {"M d/a"}},
      {"truncate -s 4 d/a", {"M d/a"}},
      {"fallocate -p -o 0 -l 4 d/a 2>/dev/null || echo >> d/a", {"M d/a"}},
      {"chmod 600 d/a", {"M d/a"}},
      {"chmod 700 d", {"M d"}},
      {"setfattr -n user.x -v 1 d/a 2>/dev/null || chmod 600 d/a", {"M d/a"}},
      {"mv d/a d/z", {"D d/a", "A d/z"}},
      {"ln d/a d/y", {"M d/a", "A d/y"}},
      {"rm d/hard", {"M d/b", "D d/hard"}},
      {"echo w > d/hard", {"M d/b", "M d/hard"}},
      {"rm d/a", {"D d/a"}},
      {"rm -r d/sub", {"D d/sub"}},
      {"rm -r d", {"D d"}},
      {"rm -r d/sub; mkdir d/sub", {"D d/sub/c"}},
      {"rm -r d/sub; mkdir d/sub; echo three > d/sub/c", {"M d/sub/c"}},
      {"rm -r d/sub; echo file > d/sub", {"M d/sub"}},
      {"rm -r d/sub; ln -s /etc d/sub", {"M d/sub"}},
      {"rm d/a; mkdir -p d/a/x; touch d/a/x/y", {"M d/a", "A d/a/x", "A d/a/x/y"}},
      {"ln -sfn b d/link", {"M d/link"}},
      {"rm d/fifo; mkfifo d/fifo", {"M d/fifo"}},
      {"mv d dd",
       {"D d", "A dd", "A dd/a", "A dd/b", "A dd/fifo", "A dd/hard", "A dd/link", "A dd/sub",
        "A dd/sub/c"}},
      {"mv d t; mv empty d; mv t empty",
       {"D d/a", "D d/b", "D d/fifo", "D d/hard", "D d/link", "D d/sub", "A empty/a", "A empty/b",
        "A empty/fifo", "A empty/hard", "A empty/link", "A empty/sub", "A empty/sub/c"}},
      {"touch d/x; rm d/x", {}},
      {"touch -d @1 d", {}},
      {"mkdir -p new/er; touch d.c", {"A d.c", "A new", "A new/er"}},
      {"chmod 644 d/a", {"M d/a"}},  // to the same value: seen as a change, as in Docker
  };
  for (const auto& [command, expected] : cases) {
    EXPECT_EQ(changesBy(command), expected) << command;
  }
}

TEST(Snapshot, SeesOwnersAndCapabilities) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "SKIPPED: chown needs root";
  }
  EXPECT_THAT(changesBy("chown 5:6 d/a"), ElementsAre("M d/a"));
  EXPECT_THAT(changesBy("chown 5:6 d"), ElementsAre("M d"));
  EXPECT_THAT(changesBy("setfattr -n user.x -v 1 d 2>/dev/null || chmod 700 d"),
              ElementsAre("M d"));
  EXPECT_THAT(changesBy("mknod d/null c 1 3 2>/dev/null || touch d/null"), ElementsAre("A d/null"));
}

TEST(Snapshot, LeavesOutExcludedPaths) {
  SnapshotOptions options;
  options.excluded = {"excluded"};
  EXPECT_THAT(changesBy("rm -r excluded/x; touch excluded/z", options), IsEmpty());
  options.excluded = {"d/sub"};
  EXPECT_THAT(changesBy("rm -r d/sub; touch d/n", options), ElementsAre("A d/n"));
}

TEST(Snapshot, LeavesOutMountsExceptVolumes) {
  TemporaryDirectory dir;
  ASSERT_TRUE(dir.shell("mkdir vol other plain"));
  if (!dir.shell("mount -t tmpfs none vol 2>/dev/null && mount -t tmpfs none other")) {
    GTEST_SKIP() << "SKIPPED: mounting needs root";
  }
  const auto root = Root::open(dir.path());
  SnapshotOptions options;
  options.volumes = {"vol"};
  const auto before = loadSnapshot(*root, options);
  ASSERT_TRUE(dir.shell("touch vol/v other/o plain/p"));
  const auto after = loadSnapshot(*root, options);
  std::vector<std::string> paths;
  for (const Change& change : diffSnapshots(*before, *after)) {
    paths.push_back(change.path);
  }
  EXPECT_TRUE(dir.shell("umount vol other"));
  EXPECT_THAT(paths, ElementsAre("plain/p", "vol/v"));
}

TEST(Snapshot, OneThreadSeesWhatTwoSee) {
  TemporaryDirectory dir;
  ASSERT_TRUE(dir.shell("for i in $(seq 40); do mkdir -p a$i/b/c; touch a$i/b/c/f a$i/g; done"));
  const auto root = Root::open(dir.path());
  const auto one = loadSnapshot(*root, {{}, {}, 1});
  const auto four = loadSnapshot(*root, {{}, {}, 4});
  ASSERT_TRUE(one && four);
  EXPECT_EQ(one->entries, 200u);
  EXPECT_EQ(four->entries, 200u);
  EXPECT_THAT(diffSnapshots(*one, *four), IsEmpty());
}

}  // namespace
}  // namespace stagewright::layer
