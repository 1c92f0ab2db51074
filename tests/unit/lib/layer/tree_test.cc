#include "lib/layer/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/layer/apply.h"
#include "lib/layer/tree_writer.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::layer {
namespace {

using ::testing::ElementsAre;

class TreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "SKIPPED: owners need root";
    }
  }

  Tree open(std::set<std::string> excluded = {}) {
    auto tree = Tree::open(dir_.path(), std::move(excluded), {});
    EXPECT_TRUE(tree);
    return std::move(*tree);
  }

  Status apply(const std::string& archive) {
    Tree tree = open();
    StringSource source(archive);
    TarReader reader(source);
    return applyLayer(tree, reader);
  }

  TemporaryDirectory dir_;
};

TarEntry entryOf(TarType type, std::string name, std::string link = "") {
  TarEntry entry;
  entry.type = type;
  entry.name = std::move(name);
  entry.link = std::move(link);
  entry.mode = type == TarType::kDirectory ? 0755 : 0644;
  return entry;
}

std::string archiveOf(std::vector<TarEntry> entries) {
  StringSink sink;
  TarWriter writer(sink);
  for (TarEntry& entry : entries) {
    const std::string data = entry.type == TarType::kFile ? "data of " + entry.name : "";
    entry.size = static_cast<std::int64_t>(data.size());
    EXPECT_TRUE(writer.begin(entry));
    EXPECT_TRUE(writer.data(data));
    EXPECT_TRUE(writer.end());
  }
  EXPECT_TRUE(writer.finish());
  return sink.bytes();
}

TEST_F(TreeTest, ResolvesLinksInsideItself) {
  ASSERT_TRUE(
      dir_.shell("mkdir -p a/b; ln -s /a abs; ln -s ../../../a/b a/up; ln -s loop loop; ln -s "
                 "/none/x dangling; "
                 "ln -s b a/rel"));
  const Tree tree = open();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"/abs/b", "a/b"}, {"/a/up", "a/b"},        {"a/rel/new", "a/b/new"},
      {"/../../x", "x"}, {"/dangling", "none/x"}, {"/a/rel/../q", "a/q"},
      {"/", ""},
  };
  for (const auto& [path, expected] : cases) {
    const auto got = tree.resolve(path);
    ASSERT_TRUE(got) << path;
    EXPECT_EQ(*got, expected) << path;
  }
  EXPECT_EQ(*tree.resolve("/abs", false), "abs");
  EXPECT_FALSE(tree.resolve("/loop"));
}

TEST_F(TreeTest, RefusesPathsOfTheBuilder) {
  Tree tree = open({".stagewright"});
  EXPECT_EQ(tree.makeFile(".stagewright/x", 0644).error().code, Code::kDenied);
  EXPECT_EQ(tree.remove(".stagewright").error().code, Code::kDenied);
  EXPECT_TRUE(tree.makeFile(".stagewright2", 0644));
}

TEST_F(TreeTest, KeepsSetuidAndWritesNothingThroughLinks) {
  TemporaryDirectory outside;
  outside.write("victim", "safe");
  ASSERT_TRUE(dir_.shell("ln -s " + outside.path() + " out; ln -s " + (outside / "victim") + " f"));
  Tree tree = open();
  EXPECT_FALSE(tree.makeFile("out/victim", 0644));
  EXPECT_FALSE(tree.makeFile("f", 0644));
  ASSERT_TRUE(tree.makeFile("s", 0600));
  Metadata m;
  m.uid = 7;
  m.gid = 8;
  m.mode = 06755;
  m.mtime = Timestamp{1234567890, 5};
  ASSERT_TRUE(tree.setMetadata("s", m));
  const auto st = tree.stat("s");
  ASSERT_TRUE(st);
  EXPECT_EQ(st->permissions(), 06755u);
  EXPECT_EQ(st->uid, 7u);
  EXPECT_EQ(st->mtime, (Timestamp{1234567890, 5}));
  EXPECT_THAT(tree.takeTouched(), ElementsAre("s"));
  EXPECT_EQ(outside.read("victim"), "safe");
}

TEST_F(TreeTest, ShadowsMountedFiles) {
  ASSERT_TRUE(dir_.shell("mkdir etc proc; echo mounted > hosts; touch etc/hosts"));
  if (!dir_.shell("mount --bind hosts etc/hosts 2>/dev/null && mount -t tmpfs none proc")) {
    GTEST_SKIP() << "SKIPPED: mounting is not permitted";
  }
  {
    Tree tree = open();
    EXPECT_FALSE(tree.stat("etc/hosts"));
    auto file = tree.makeFile("etc/hosts", 0644);
    ASSERT_TRUE(file);
    EXPECT_EQ(::write(file->get(), "ours", 4), 4);
    ASSERT_TRUE(tree.makeDirectory("proc/d", 0755));
    ASSERT_TRUE(tree.makeSymlink("proc/d/l", "t"));
    EXPECT_EQ(*tree.readLink("proc/d/l"), "t");
    EXPECT_THAT(*tree.list("proc"), ElementsAre("d"));
    StringSink sink;
    std::vector<LayerItem> items;
    for (const std::string& path : tree.takeTouched()) {
      items.push_back({path, false});
    }
    ASSERT_TRUE(writeLayer(tree, items, sink));
    StringSource source(sink.bytes());
    TarReader reader(source);
    std::vector<std::string> names;
    for (auto entry = reader.next(); entry && *entry; entry = reader.next()) {
      names.push_back((*entry)->name);
    }
    EXPECT_THAT(names, ElementsAre("etc", "etc/hosts", "proc", "proc/d", "proc/d/l"));
    ASSERT_TRUE(tree.remove("etc/hosts"));
    EXPECT_FALSE(tree.stat("etc/hosts"));
  }
  EXPECT_EQ(dir_.read("hosts"), "mounted\n");
  EXPECT_TRUE(dir_.shell("umount etc/hosts proc"));
}

TEST_F(TreeTest, LayerSaysParentsWhiteoutsAndHardLinks) {
  ASSERT_TRUE(
      dir_.shell("mkdir -p d/e; echo 1 > d/e/f; ln d/e/f d/g; ln -s t d/l; chmod 4755 d/g; "
                 "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"d/sock\")' "
                 "2>/dev/null || true"));
  Tree tree = open();
  StringSink sink;
  ASSERT_TRUE(
      writeLayer(
          tree, {{"d/g", false}, {"d/e/f", false}, {"d/l", false}, {"d/gone", true}, {"x/y", true}},
          sink) ||
      true);
  StringSource source(sink.bytes());
  TarReader reader(source);
  std::vector<std::string> names;
  for (auto entry = reader.next(); entry && *entry; entry = reader.next()) {
    names.push_back((*entry)->name +
                    ((*entry)->type == TarType::kHardLink ? " -> " + (*entry)->link : ""));
  }
  EXPECT_THAT(names, ElementsAre("d", "d/e", "d/e/f", "d/g -> d/e/f", "d/.wh.gone", "d/l"));
}

TEST_F(TreeTest, WritesSparseFilesWhole) {
  ASSERT_TRUE(
      dir_.shell("truncate -s 3M s; printf middle | dd of=s bs=1 seek=1048576 conv=notrunc "
                 "status=none; touch -d @1 s"));
  Tree tree = open();
  StringSink sink;
  ASSERT_TRUE(writeLayer(tree, {{"s", false}}, sink));
  // Not EXPECT_EQ: it would print megabytes.
  EXPECT_TRUE(sink.bytes().substr(512, 3 * 1024 * 1024) == dir_.read("s"));
}

TEST_F(TreeTest, AppliesWhiteoutsAndReplacements) {
  ASSERT_TRUE(
      dir_.shell("mkdir -p d/keep opq/sub; echo old > d/f; echo x > opq/a; echo y > opq/sub/b; ln "
                 "-s /etc d/todir; "
                 "mkdir d/tofile; touch d/tofile/x; chmod 1777 d"));
  TarEntry d = entryOf(TarType::kDirectory, "d");
  d.mode = 0711;
  d.uid = 3;
  d.mtime = {1111111111, 0};
  ASSERT_TRUE(apply(
      archiveOf({d, entryOf(TarType::kFile, "d/.wh.f"), entryOf(TarType::kDirectory, "d/todir"),
                 entryOf(TarType::kFile, "d/todir/in"), entryOf(TarType::kFile, "d/tofile"),
                 entryOf(TarType::kFile, "opq/new"), entryOf(TarType::kFile, "opq/.wh..wh..opq"),
                 entryOf(TarType::kHardLink, "hard", "d/tofile"), entryOf(TarType::kFifo, "fifo"),
                 entryOf(TarType::kFile, "made/on/the/way")})));
  EXPECT_TRUE(dir_.shell(
      "test ! -e d/f && test -f d/todir/in && test ! -L d/todir && test -f d/tofile && "
      "test d/tofile -ef hard && test -p fifo && test \"$(ls opq)\" = new && test -d d/keep && "
      "test \"$(stat -c %a:%u:%Y d)\" = 711:3:1111111111 && test -f made/on/the/way"));
}

TEST_F(TreeTest, HostileLayersStayInside) {
  TemporaryDirectory outside;
  outside.write("victim", "safe");
  const std::string parent = outside.path();
  // Absolute links and dots are resolved inside the tree, or refused.
  EXPECT_TRUE(
      apply(archiveOf({entryOf(TarType::kSymlink, "l", parent), entryOf(TarType::kFile, "l/victim"),
                       entryOf(TarType::kSymlink, "up", "../../../../.."),
                       entryOf(TarType::kFile, "up/top"), entryOf(TarType::kFile, "/abs")})));
  EXPECT_FALSE(apply(archiveOf({entryOf(TarType::kFile, "../escape")})));
  EXPECT_FALSE(apply(archiveOf({entryOf(TarType::kHardLink, "h", parent + "/other")})));
  EXPECT_FALSE(apply(archiveOf({entryOf(TarType::kHardLink, "h", "../" + parent + "/victim")})));
  EXPECT_TRUE(apply(archiveOf(
      {entryOf(TarType::kSymlink, "dir", parent), entryOf(TarType::kFile, "dir/.wh.victim")})));
  EXPECT_EQ(outside.read("victim"), "safe");
  EXPECT_TRUE(dir_.shell("test -f top && test -f abs && test ! -e ../escape"));
}

TEST_F(TreeTest, RoundTripKeepsEverything) {
  ASSERT_TRUE(dir_.shell(
      "mkdir -p src/a/b; cd src; printf 'x' > a/f; ln a/f a/b/h; ln -s ../nowhere a/l; mkfifo a/p; "
      "chown -R 12:34 a; chmod 2750 a/b; touch -h -d '2001-02-03 04:05:06.789' a/f a/l a/b; "
      "setfattr -n user.k -v v a/f 2>/dev/null; printf w > \"$(printf 'a/raw\\377')\""));
  Tree from = *Tree::open(dir_ / "src", {}, {});
  StringSink sink;
  TarWriter tar(sink);
  TreeWriter writer(from, tar);
  ASSERT_TRUE(writer.writeAll("a", "a"));
  ASSERT_TRUE(tar.finish());
  ASSERT_TRUE(dir_.shell("mkdir dst"));
  Tree to = *Tree::open(dir_ / "dst", {}, {});
  StringSource source(sink.bytes());
  TarReader reader(source);
  ASSERT_TRUE(applyLayer(to, reader));
  const auto listing = [&](const std::string& name) {
    EXPECT_TRUE(
        dir_.shell("cd " + name +
                   " && find . -mindepth 1 -printf '%P %y %m %U:%G %s %T@ %l %n\\n' | sort > ../" +
                   name + ".txt"));
    return dir_.read(name + ".txt");
  };
  EXPECT_EQ(listing("src"), listing("dst"));
  const auto attributesOf = [](Tree& tree) {
    return *loadXattrs(tree.openFile("a/f")->get(), "f");
  };
  EXPECT_EQ(attributesOf(to), attributesOf(from));
}

TEST_F(TreeTest, GivesTheUpperDirectoryWhereOnlyTheCopyKnowsIt) {
  ASSERT_TRUE(dir_.shell("mkdir -p root/new upper/new"));
  auto tree = Tree::open(dir_ / "root", {}, {});
  ASSERT_TRUE(tree);
  auto upper = Root::open(dir_ / "upper");
  ASSERT_TRUE(upper);
  tree->writeThrough(std::move(*upper));
  const auto inode = [](const Result<std::shared_ptr<const Fd>>& directory) {
    return directory && *directory ? statAt((*directory)->get(), "").value_or(FileStat{}).inode : 0;
  };
  const auto inodeAt = [this](const char* path) {
    struct stat st {};
    return ::stat((dir_ / path).c_str(), &st) == 0 ? st.st_ino : ino_t{0};
  };
  EXPECT_EQ(inode(tree->claimFile("new/file", true)), inodeAt("upper/new"));
  EXPECT_EQ(inode(tree->claimFile("new/file", false)), inodeAt("root/new"));
  ASSERT_TRUE(tree->remove("new"));  // and nothing of it is remembered
  ASSERT_TRUE(dir_.shell("rm -r upper/new && mkdir -p root/new upper/other upper/new"));
  EXPECT_EQ(inode(tree->claimFile("new/file", true)), inodeAt("upper/new"));
}

}  // namespace
}  // namespace stagewright::layer
