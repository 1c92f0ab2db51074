// COPY and ADD as tables: a source, a tree, an instruction; then what is there (docs: Dockerfile
// language, section 6).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "builder-pod/stage/artifact_tree.h"
#include "builder-pod/stage/step_files.h"
#include "lib/base/hash.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::stage {
namespace {

using layer::TemporaryDirectory;

struct Instruction {
  std::string path;
  std::string destination;
  std::string chown = {};
  std::string chmod = {};
  std::vector<std::string> excludes = {};
  bool parents = false;
  bool link = false;
  bool isAdd = false;
  std::optional<bool> unpack = {};
};

class CopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "SKIPPED: owners need root";
    }
  }

  /// Runs the instruction between fresh directories made by the two commands. Empty, or the error.
  std::string copy(const std::string& makeSource, const std::string& makeTree,
                   const Instruction& i) {
    dir_ = std::make_unique<TemporaryDirectory>();
    EXPECT_TRUE(dir_->shell("mkdir src root && cd src && { " + makeSource +
                            "\n} && cd ../root && { " + makeTree + "\n}"));
    auto tree = layer::Tree::open(*dir_ / "root", {}, {});
    auto source = makeDirectoryTree(*dir_ / "src");
    EXPECT_TRUE(tree && source);
    const Status status = run(*tree, **source, i);
    touched_ = tree->takeTouched();
    return status ? "" : status.error().message;
  }

  static Status run(layer::Tree& tree, SourceTree& source, const Instruction& i) {
    plan::CopyStep step;
    step.destination = i.destination;
    step.chown = i.chown;
    step.chmod = i.chmod;
    step.excludes = i.excludes;
    step.parents = i.parents;
    step.link = i.link;
    step.isAdd = i.isAdd;
    step.unpack = i.unpack;
    plan::CopySource from;
    from.path = i.path;
    TRY(auto options, makeCopyOptions(step, from, tree));
    return SourceCopier(tree, step, from, std::move(options)).copyAll(source);
  }

  /// `type:mode:uid:gid path` for everything, sorted.
  std::string listing(const char* format = "%y %P\\n") {
    EXPECT_TRUE(dir_->shell(std::string("find root -mindepth 1 -printf '") + format +
                            "' | sort > listing"));
    return dir_->read("listing");
  }
  bool check(const std::string& command) { return dir_->shell("cd root && " + command); }

  std::unique_ptr<TemporaryDirectory> dir_;
  std::set<std::string> touched_;
};

TEST_F(CopyTest, Destinations) {
  struct Case {
    const char* source;
    const char* tree;
    Instruction instruction;
    const char* result;
  };
  const Case cases[] = {
      {"touch f", "true", {"f", "/x"}, "f x\n"},
      {"touch f", "true", {"f", "/x/"}, "d x\nf x/f\n"},
      {"touch f", "mkdir x", {"f", "/x"}, "d x\nf x/f\n"},
      {"touch f", "true", {"f", "/x/."}, "d x\nf x/f\n"},
      {"touch f", "true", {"/f", "/a/b/c"}, "d a\nd a/b\nf a/b/c\n"},
      {"mkdir -p d/e; touch d/f", "true", {"d", "/x"}, "d x\nd x/e\nf x/f\n"},
      {"mkdir -p d/e; touch d/f", "mkdir x", {"d", "/x"}, "d x\nd x/e\nf x/f\n"},
      {"mkdir d; touch d/f", "true", {".", "/"}, "d d\nf d/f\n"},
      {"mkdir d; touch d/f", "true", {"d/../d", "/"}, "f f\n"},
      {"touch a.x b.x .c.x; mkdir d.x; touch d.x/in",
       "true",
       {"*.x", "/o/"},
       "d o\nf o/.c.x\nf o/a.x\nf o/b.x\nf o/in\n"},
      {"touch a b", "true", {"?.none", "/o/"}, ""},
      {"mkdir -p s/t; touch s/t/a s/t/b", "true", {"s/*/[ab]", "/o/"}, "d o\nf o/a\nf o/b\n"},
      {"touch '[x' 'a*'", "true", {"[[]x", "/o/"}, "d o\nf o/[x\n"},
      {"touch f; ln -s f l", "true", {"l", "/o/"}, "d o\nf o/l\n"},
      {"mkdir d; touch d/f; ln -s d l; ln -s f d/in", "true", {"l", "/o"}, "d o\nf o/f\nl o/in\n"},
      {"ln -s ../../../x l; mkdir x; touch x/f", "true", {"l", "/o"}, "d o\nf o/f\n"},
      {"touch f", "mkdir real; ln -s /real l", {"f", "/l/"}, "d real\nf real/f\nl l\n"},
      {"touch f", "ln -s /to/target l", {"f", "/l"}, "d to\nf to/target\nl l\n"},
      {"touch f", "mkdir d; ln -s /elsewhere d/f", {"f", "/d/"}, "d d\nf d/f\n"},
      {"mkdir d; ln -s /abs d/l; mkfifo d/p", "true", {"d", "/o"}, "d o\nl o/l\np o/p\n"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(copy(c.source, c.tree, c.instruction), "")
        << c.source << " -> " << c.instruction.path;
    EXPECT_EQ(listing(), c.result) << c.source << " / " << c.tree << " / " << c.instruction.path
                                   << " " << c.instruction.destination;
  }
}

TEST_F(CopyTest, Conflicts) {
  struct Case {
    const char* source;
    const char* tree;
    Instruction instruction;
    const char* message;
  };
  const Case cases[] = {
      {"mkdir d", "touch x", {"d", "/x"}, "cannot copy to non-directory: /x"},
      {"mkdir -p d/e",
       "mkdir x r; ln -s ../r x/e",
       {"d", "/x"},
       "cannot copy to non-directory: /x/e"},
      {"mkdir d; touch d/e",
       "mkdir -p x/e",
       {"d", "/x"},
       "cannot replace to directory /x/e with file"},
      {"touch f", "touch x", {"f", "/x/"}, "mkdir /x: not a directory"},
      {"true", "true", {"none", "/x"}, "failed to calculate checksum of ref: \"/none\": not found"},
      {"true",
       "true",
       {"none/*", "/x"},
       "failed to calculate checksum of ref: \"/none/*\": not found"},
      {"ln -s /outside l",
       "true",
       {"l", "/x"},
       "failed to calculate checksum of ref: \"/l\": not found"},
      {"touch f", "true", {"[", "/x"}, "invalid includepatterns: [[]: syntax error in pattern"},
      {"touch f",
       "true",
       {"f", "/x", "", "9"},
       "invalid chmod parameter: '9'. it should be octal string and between 0 and 07777"},
      {"touch f",
       "true",
       {.path = "a/none", .destination = "/x", .parents = true},
       "failed to calculate checksum of ref: \"/a/none\": not found"},
      {"mkdir d; touch d/f; ln -s d l",
       "true",
       {.path = "l/f", .destination = "/x/", .parents = true},
       "failed to calculate checksum of ref: \"/l/f\": not found"},
      {"mkdir d; touch d/f",
       "true",
       {.path = "d/./f", .destination = "/x/", .excludes = {"f"}, .parents = true},
       "failed to calculate checksum of ref: \"/d/f\": not found"},
      {"ln -s /outside l", "true", {.path = ".", .destination = "/x/", .excludes = {"o"}}, "\"/l\": not found"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(copy(c.source, c.tree, c.instruction), c.message);
  }
}

TEST_F(CopyTest, Metadata) {
  const char* format = "%P %m %U:%G %T@\\n";
  EXPECT_EQ(copy("mkdir -m 751 d; echo x > d/s; chown 5:6 d/s; chmod 6755 d/s; touch -d @100 d/s; "
                 "mkdir -m 700 d/sub; "
                 "touch -d @300 d/sub; touch -d @200 d",
                 "mkdir -m 711 x; chown 3:4 x; mkdir -m 711 x/sub; chown 3:4 x/sub", {"d", "/x"}),
            "");
  EXPECT_EQ(
      listing(format),
      "x 711 3:4 200.0000000000\nx/s 6755 0:0 100.0000000000\nx/sub 700 0:0 300.0000000000\n");
  EXPECT_THAT(touched_, ::testing::ElementsAre("x/s", "x/sub"));
  // Parents that are made: 0755 or the numeric mode, the owner of --chown.
  EXPECT_EQ(copy("touch f", "true", {"f", "/a/b/", "7:8", "2750"}), "");
  EXPECT_EQ(listing("%P %m %U:%G\\n"), "a 750 7:8\na/b 750 7:8\na/b/f 2750 7:8\n");
  EXPECT_EQ(copy("touch f; chmod 600 f", "true", {"f", "/a/", "", "go+r"}), "");
  EXPECT_EQ(listing("%P %m %U:%G\\n"), "a 755 0:0\na/f 644 0:0\n");
  EXPECT_EQ(copy("mkdir d; touch d/f; ln -s f d/l", "mkdir etc; echo app:x:9:10::: > etc/passwd",
                 {"d", "/a/", "app"}),
            "");
  EXPECT_TRUE(
      check("test $(stat -c %u:%g a/f) = 9:10 && test $(stat -c %u:%g a/l) = 9:10 && test $(stat "
            "-c %u a) = 9"));
}

TEST_F(CopyTest, HardLinksAndAttributes) {
  EXPECT_EQ(copy("mkdir d; echo x > d/a; ln d/a d/b; truncate -s 1M d/sparse; setfattr -n user.k "
                 "-v v d/a 2>/dev/null || true",
                 "true", {"d", "/x"}),
            "");
  EXPECT_TRUE(
      check("test x/a -ef x/b && test $(stat -c %b x/sparse) -lt 100 && test $(stat -c %s "
            "x/sparse) = 1048576"));
  EXPECT_EQ(copy("echo x > a; ln a b", "true", {"*", "/x/"}), "");
  EXPECT_TRUE(check("test ! x/a -ef x/b"));  // two matches are two copies
}

TEST_F(CopyTest, ExcludesAndParents) {
  EXPECT_EQ(copy("mkdir -p d/e; touch d/a.o d/a.c d/e/b.o d/e/keep.o", "true",
                 {.path = "d", .destination = "/x", .excludes = {"**/*.o", "!e/keep.o"}}),
            "");
  EXPECT_EQ(listing(), "d x\nd x/e\nf x/a.c\nf x/e/keep.o\n");
  EXPECT_EQ(copy("mkdir -p -m 700 a/b/c; touch a/b/c/f a/b/g", "true",
                 {.path = "a/b/c/f", .destination = "/x/", .parents = true}),
            "");
  EXPECT_EQ(listing("%P %m\\n"), "x 755\nx/a 755\nx/a/b 755\nx/a/b/c 700\nx/a/b/c/f 644\n");
  EXPECT_EQ(copy("mkdir -p a/b/c; touch a/b/c/f a/b/g", "true",
                 {.path = "a/./**/f", .destination = "/x/", .parents = true}),
            "");
  EXPECT_EQ(listing(), "d x\nd x/b\nd x/b/c\nf x/b/c/f\n");
  EXPECT_EQ(copy("mkdir d; ln -s /outside d/l; ln -s /outside l", "true",
                 {.path = ".", .destination = "/x/", .excludes = {"l"}}),
            "");
  EXPECT_EQ(listing(), "d x\nd x/d\nl x/d/l\n") << "links below the root are not looked behind";
}

TEST_F(CopyTest, LinkDoesNotLookAtTheStage) {
  Instruction i{.path = "f", .destination = "/l/f", .link = true};
  EXPECT_EQ(copy("echo new > f", "mkdir -m 700 real; chown 5 real; ln -s real l", i), "");
  EXPECT_EQ(listing("%y %P %m %U\\n"), "d l 755 0\nd real 700 5\nf l/f 644 0\n");
  i.destination = "/d/f";
  EXPECT_EQ(copy("echo new > f", "mkdir -m 700 d; touch d/other d/f; chown 5 d", i), "");
  EXPECT_EQ(listing("%y %P %m %U\\n"), "d d 755 0\nf d/f 644 0\nf d/other 644 0\n");
  i.destination = "/d";
  EXPECT_EQ(copy("echo new > f", "mkdir d; touch d/other", i), "");
  EXPECT_EQ(listing(), "f d\n");
}

TEST_F(CopyTest, AddUnpacksArchivesByContent) {
  const std::string make =
      "mkdir t; cd t; echo x > f; chown 5:6 f; chmod 4755 f; mkdir -m 711 s; ln -s f l; ln f h; "
      "touch .wh.odd; cd ..; ";
  for (const char* pack : {"tar cf t.any -C t .", "tar czf t.any -C t .", "tar cjf t.any -C t .",
                           "tar cJf t.any -C t .", "tar c -C t . | zstd -q > t.any",
                           "{ gzip -c < /dev/null; tar c -C t . | gzip; } > t.any"}) {
    EXPECT_EQ(copy(make + pack + " || exit 0", "mkdir -m 700 x; chown 9 x",
                   {.path = "t.any", .destination = "/x", .isAdd = true}),
              "")
        << pack;
    if (!dir_->shell("test -s src/t.any")) {
      continue;  // no such program here
    }
    EXPECT_EQ(listing("%y %P %m %U:%G\\n"),
              "d x 700 9:0\nd x/s 711 0:0\nf x/.wh.odd 644 0:0\nf x/f 4755 5:6\nf x/h 4755 5:6\nl "
              "x/l 777 0:0\n")
        << pack;
  }
}

TEST_F(CopyTest, AddCopiesWhatIsNoArchive) {
  const std::string tar = "mkdir t; echo x > t/f; tar cf a.tar t; ";
  const std::vector<std::tuple<std::string, Instruction, std::string>> cases = {
      {"echo text > a.tar",
       {.path = "a.tar", .destination = "/x/", .isAdd = true},
       "d x\nf x/a.tar\n"},
      {": > a.tar", {.path = "a.tar", .destination = "/x/", .isAdd = true}, "d x\nf x/a.tar\n"},
      {"echo text | gzip > a.tgz",
       {.path = "a.tgz", .destination = "/x/", .isAdd = true},
       "d x\nf x/a.tgz\n"},
      {"mkdir d.tar; touch d.tar/f",
       {.path = "d.tar", .destination = "/x/", .isAdd = true},
       "d x\nf x/f\n"},
      {tar, {.path = "a.tar", .destination = "/x/"}, "d x\nf x/a.tar\n"},
      {tar,
       {.path = "a.tar", .destination = "/x/", .isAdd = true, .unpack = false},
       "d x\nf x/a.tar\n"},
      {tar + "ln -s a.tar l",
       {.path = "l", .destination = "/x/", .isAdd = true},
       "d x\nd x/t\nf x/t/f\n"},
      {tar,
       {.path = "a*", .destination = "/x", .chown = "3", .isAdd = true},
       "d x\nd x/t\nf x/t/f\n"},
  };
  for (const auto& [source, instruction, result] : cases) {
    EXPECT_EQ(copy(source, "true", instruction), "") << source;
    EXPECT_EQ(listing(), result) << source;
  }
}

TEST_F(CopyTest, HostileArchivesStayInTheDestination) {
  const std::string python = R"(python3 -c '
import tarfile, io
t = tarfile.open("a.tar", "w")
def add(name, **kw):
    i = tarfile.TarInfo(name)
    for k, v in kw.items(): setattr(i, k, v)
    i.size = 1 if i.isreg() else 0
    t.addfile(i, io.BytesIO(b"x"))
%s
t.close()')";
  const auto with = [&](const std::string& body) {
    std::string text = python;
    return text.replace(text.find("%s"), 2, body);
  };
  // The destination is the root of what its links name: /etc of the image stays as it is.
  const std::string throughLink = with("add(\"l\", type=b\"2\", linkname=\"/etc\"); add(\"l/evil\")");
  EXPECT_EQ(copy(throughLink, "mkdir etc", {.path = "a.tar", .destination = "/x", .isAdd = true}),
            "open /l/evil: no such file or directory");
  EXPECT_EQ(listing(), "d etc\nd x\nl x/l\n");
  EXPECT_EQ(copy(throughLink, "mkdir -p etc x/etc", {.path = "a.tar", .destination = "/x", .isAdd = true}), "");
  EXPECT_EQ(listing(), "d etc\nd x\nd x/etc\nf x/etc/evil\nl x/l\n");
  EXPECT_EQ(copy(with("add(\"../evil\")"), "true", {.path = "a.tar", .destination = "/x", .isAdd = true}), "");
  EXPECT_EQ(listing(), "d x\nf x/evil\n");
  EXPECT_NE(copy(with("add(\"h\", type=b\"1\", linkname=\"../../src/a.tar\")"), "true",
                 {.path = "a.tar", .destination = "/x", .isAdd = true}),
            "");
  EXPECT_NE(copy("mkdir t; head -c 100000 /dev/urandom > t/f; tar czf b t; head -c 60000 b > a.tar",
                 "true", {.path = "a.tar", .destination = "/x", .isAdd = true}),
            "");
}

TEST_F(CopyTest, ExportsSurviveThePackaging) {
  TemporaryDirectory dir;
  ASSERT_TRUE(dir.shell(
      "mkdir -p from/app/sub to && cd from && echo x > app/f && chown 5:6 app/f && chmod 4711 "
      "app/f && "
      "ln app/f app/h && ln -s app/f link && touch \"$(printf 'app/raw\\377')\" && chmod 750 app"));
  auto from = layer::Tree::open(dir / "from", {}, {});
  layer::StringSink sink;
  const auto packed = packExport(*from, "/app/*", {}, sink);
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->matches.size(), 4u);
  dir.write("a.tar", sink.bytes());
  Fd file(::open((dir / "a.tar").c_str(), O_RDONLY | O_CLOEXEC));
  auto artifact = loadArtifact(std::move(file), "sha256:" + sha256Hex(sink.bytes()), "a");
  ASSERT_TRUE(artifact) << artifact.error().message;
  EXPECT_THAT((*artifact)->matches(),
              ::testing::ElementsAre("app/f", "app/h", "app/raw\xff", "app/sub"));
  EXPECT_EQ((*artifact)->stat("app")->permissions(), 0750u);
  auto to = layer::Tree::open(dir / "to", {}, {});
  CopyEngine engine(*to, {});
  for (const std::string& match : (*artifact)->matches()) {
    ASSERT_TRUE(engine.copy(**artifact, match, "/d/"));
  }
  EXPECT_TRUE(dir.shell(
      "cd to/d && test $(stat -c %a:%u:%g f) = 4711:5:6 && test -e \"$(printf 'raw\\377')\""));
  Fd again(::open((dir / "a.tar").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(loadArtifact(std::move(again), "sha256:" + std::string(64, '0'), "a").error().code,
            Code::kDenied);
}

}  // namespace
}  // namespace stagewright::stage
