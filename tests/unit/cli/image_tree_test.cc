#include "cli/image_tree.h"

#include <gtest/gtest.h>

#include "lib/layer/tar_writer.h"

namespace stagewright::cli {
namespace {

using layer::TarType;

/// Builds a layer entry by entry.
class Tar {
 public:
  Tar& file(const std::string& name, const std::string& data) {
    layer::TarEntry entry = make(name, TarType::kFile, 0644);
    entry.size = static_cast<std::int64_t>(data.size());
    EXPECT_TRUE(writer_.begin(entry));
    EXPECT_TRUE(writer_.data(data));
    EXPECT_TRUE(writer_.end());
    return *this;
  }
  Tar& directory(const std::string& name) { return add(make(name, TarType::kDirectory, 0755)); }
  Tar& link(const std::string& name, TarType type, const std::string& target) {
    layer::TarEntry entry = make(name, type, 0777);
    entry.link = target;
    return add(entry);
  }
  std::string bytes() {
    EXPECT_TRUE(writer_.finish());
    return sink_.bytes();
  }

 private:
  static layer::TarEntry make(const std::string& name, TarType type, unsigned mode) {
    layer::TarEntry entry;
    entry.name = name;
    entry.type = type;
    entry.mode = mode;
    return entry;
  }
  Tar& add(const layer::TarEntry& entry) {
    EXPECT_TRUE(writer_.add(entry));
    return *this;
  }
  layer::StringSink sink_;
  layer::TarWriter writer_{sink_};
};

ImageTree treeOf(const std::vector<std::string>& layers) {
  ImageTree tree;
  for (const std::string& bytes : layers) {
    layer::StringSource source(bytes);
    const Status applied = tree.apply(source);
    EXPECT_TRUE(applied) << applied.error().message;
  }
  return tree;
}

std::vector<std::string> namesOf(const ImageTree& tree) {
  std::vector<std::string> names;
  for (const auto& [name, file] : tree.files()) {
    names.push_back(name);
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(ImageTree, RemovesWhatALaterLayerWhitesOut) {
  const ImageTree tree =
      treeOf({Tar().directory("a").file("a/x", "1").file("a/y", "2").file("b", "3").bytes(),
              Tar().file("a/.wh.x", "").file(".wh.b", "").bytes()});
  EXPECT_EQ(namesOf(tree), (Names{"a", "a/y"}));
}

TEST(ImageTree, LetsAnOpaqueDirectoryHideOnlyLowerLayers) {
  const ImageTree tree =
      treeOf({Tar().directory("a").file("a/x", "1").directory("a/d").file("a/d/z", "1").bytes(),
              Tar().directory("a").file("a/new", "2").file("a/.wh..wh..opq", "").bytes()});
  EXPECT_EQ(namesOf(tree), (Names{"a", "a/new"}));
}

TEST(ImageTree, ReplacesADirectoryByAFileAndBack) {
  EXPECT_EQ(namesOf(treeOf(
                {Tar().directory("a").file("a/x", "1").bytes(), Tar().file("a", "2").bytes()})),
            (Names{"a"}));
  EXPECT_EQ(namesOf(treeOf(
                {Tar().file("a", "2").bytes(), Tar().directory("a").file("a/x", "1").bytes()})),
            (Names{"a", "a/x"}));
}

TEST(ImageTree, ListsEveryColumn) {
  const std::string list = listTree(treeOf({Tar()
                                                .directory("d")
                                                .file("d/f", "hi")
                                                .link("d/g", TarType::kHardLink, "d/f")
                                                .link("s", TarType::kSymlink, "d/f")
                                                .bytes()}));
  const std::string sha = sha256Hex("hi");
  EXPECT_EQ(list,
            "d\tdir\t0755\t0\t0\t0\t-\t-\n"
            "d/f\tfile\t0644\t0\t0\t2\t" +
                sha +
                "\t-\n"
                "d/g\tfile\t0644\t0\t0\t2\t" +
                sha +
                "\td/f\n"
                "s\tsymlink\t0777\t0\t0\t0\t-\td/f\n");
}

TEST(ImageTree, KeepsAHardLinkWhoseFirstNameIsGone) {
  const ImageTree tree = treeOf({Tar().file("a", "hi").link("b", TarType::kHardLink, "a").bytes(),
                                 Tar().file(".wh.a", "").bytes()});
  EXPECT_EQ(namesOf(tree), (Names{"b"}));
  EXPECT_EQ(tree.files().at("b")->sha256, sha256Hex("hi"));
}

TEST(ImageTree, RefusesLinksToNowhere) {
  ImageTree tree;
  const std::string bytes = Tar().link("b", TarType::kHardLink, "../../etc/passwd").bytes();
  layer::StringSource source(bytes);
  EXPECT_FALSE(tree.apply(source));
}

}  // namespace
}  // namespace stagewright::cli
