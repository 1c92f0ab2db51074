#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/layer/tar_header.h"
#include "lib/layer/tar_reader.h"
#include "lib/layer/tar_writer.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::layer {
namespace {

std::string archiveOf(const std::vector<std::pair<TarEntry, std::string>>& entries) {
  StringSink sink;
  TarWriter writer(sink);
  for (const auto& [entry, data] : entries) {
    EXPECT_TRUE(writer.begin(entry));
    EXPECT_TRUE(writer.data(data));
    EXPECT_TRUE(writer.end());
  }
  EXPECT_TRUE(writer.finish());
  return sink.bytes();
}

std::string contentOf(TarReader& reader) {
  std::string out;
  char buffer[777];
  for (;;) {
    const auto n = reader.read(buffer, sizeof buffer);
    if (!n || *n == 0) {
      EXPECT_TRUE(n) << n.error().message;
      return out;
    }
    out.append(buffer, *n);
  }
}

TarEntry fileEntry(std::string name, std::size_t size) {
  TarEntry entry;
  entry.name = std::move(name);
  entry.mode = 0644;
  entry.size = static_cast<std::int64_t>(size);
  entry.mtime = {1600000000, 0};
  return entry;
}

char firstTypeOf(const std::string& archive) { return archive[kTypeField.offset]; }

TEST(TarWriter, ChoosesUstarWhenEverythingFits) {
  const std::string deep = std::string(120, 'd') + "/" + std::string(90, 'f');
  struct Case {
    const char* what;
    std::function<void(TarEntry&)> change;
    char type;
  };
  const Case cases[] = {
      {"a plain file", [](TarEntry&) {}, '0'},
      {"a name of 100 bytes", [](TarEntry& e) { e.name = std::string(100, 'n'); }, '0'},
      {"a name that splits", [&](TarEntry& e) { e.name = deep; }, '0'},
      {"a name of 101 bytes without a slash", [](TarEntry& e) { e.name = std::string(101, 'n'); },
       'x'},
      {"a raw name that is no UTF-8", [](TarEntry& e) { e.name = "a\xff\xfe"; }, '0'},
      {"nanoseconds", [](TarEntry& e) { e.mtime.nanos = 1; }, 'x'},
      {"a time before 1970", [](TarEntry& e) { e.mtime.seconds = -1; }, 'x'},
      {"the largest octal uid", [](TarEntry& e) { e.uid = 2097151; }, '0'},
      {"a larger uid", [](TarEntry& e) { e.uid = 2097152; }, 'x'},
      {"an attribute", [](TarEntry& e) { e.xattrs["user.x"] = "1"; }, 'x'},
  };
  for (const Case& c : cases) {
    TarEntry entry = fileEntry("f", 0);
    c.change(entry);
    EXPECT_EQ(firstTypeOf(archiveOf({{entry, ""}})), c.type) << c.what;
  }
}

TEST(TarWriter, EmptyArchiveIsTheEmptyLayer) {
  const std::string archive = archiveOf({});
  EXPECT_EQ(sha256Hex(archive), "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}

TEST(TarWriter, RefusesWrongSizesAndNames) {
  StringSink sink;
  TarWriter writer(sink);
  EXPECT_FALSE(writer.begin(fileEntry("", 0)));
  EXPECT_FALSE(writer.begin(fileEntry(std::string("a\0b", 3), 0)));
  ASSERT_TRUE(writer.begin(fileEntry("f", 2)));
  EXPECT_FALSE(writer.data("abc"));
  EXPECT_TRUE(writer.data("a"));
  EXPECT_FALSE(writer.end());
}

TEST(Tar, ReadsBackWhatItWrote) {
  std::vector<std::pair<TarEntry, std::string>> entries;
  TarEntry odd = fileEntry("d\xc3\xa4/" + std::string(300, 'x') + "\xff", 5);
  odd.uid = 4000000000;
  odd.gid = 3000000;
  odd.mode = 06755;
  odd.mtime = {-5, 250000000};
  odd.xattrs = {{"security.capability", std::string("\1\0\0\2", 4)},
                {"user.empty", ""},
                {"user.n", "a=b\nc"}};
  entries.push_back({odd, "hello"});
  TarEntry link = fileEntry("link", 0);
  link.type = TarType::kSymlink;
  link.link = std::string(200, 'l');
  entries.push_back({link, ""});
  TarEntry directory = fileEntry(std::string(150, 'q'), 0);
  directory.type = TarType::kDirectory;
  entries.push_back({directory, ""});
  TarEntry device = fileEntry("dev", 0);
  device.type = TarType::kCharDevice;
  device.major = 1;
  device.minor = 3;
  entries.push_back({device, ""});
  const std::string archive = archiveOf(entries);
  StringSource source(archive);
  TarReader reader(source);
  for (const auto& [entry, data] : entries) {
    const auto read = reader.next();
    ASSERT_TRUE(read && *read) << entry.name;
    const TarEntry& got = **read;
    EXPECT_EQ(got.type, entry.type);
    EXPECT_EQ(got.name, entry.name);
    EXPECT_EQ(got.link, entry.link);
    EXPECT_EQ(got.mode, entry.mode);
    EXPECT_EQ(got.uid, entry.uid);
    EXPECT_EQ(got.gid, entry.gid);
    EXPECT_EQ(got.size, entry.size);
    EXPECT_EQ(got.mtime, entry.mtime);
    EXPECT_EQ(got.xattrs, entry.xattrs);
    EXPECT_EQ(got.major, entry.major);
    EXPECT_EQ(contentOf(reader), data);
  }
  const auto end = reader.next();
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end);
}

TEST(Tar, PythonReadsWhatWeWrite) {
  TemporaryDirectory dir;
  if (!dir.shell("python3 -c 'import tarfile'")) {
    GTEST_SKIP() << "SKIPPED: no python3";
  }
  TarEntry big = fileEntry("dir/" + std::string(200, 'n'), 3);
  big.uid = 3000000;
  big.mtime = {1600000000, 500000000};
  big.xattrs["user.k"] = "v";
  dir.write("a.tar", archiveOf({{big, "abc"}}));
  EXPECT_TRUE(dir.shell(R"(python3 -c '
import tarfile
m = tarfile.open("a.tar").getmembers()[0]
assert m.name == "dir/" + "n" * 200 and m.uid == 3000000 and m.mtime == 1600000000.5 and m.size == 3, m.get_info()
assert m.pax_headers["SCHILY.xattr.user.k"] == "v"
')"));
  EXPECT_TRUE(dir.shell("tar tvf a.tar >/dev/null"));
}

TEST(Tar, WeReadWhatGnuTarWrites) {
  for (const char* format : {"v7", "oldgnu", "gnu", "ustar", "pax"}) {
    TemporaryDirectory dir;
    const bool longNames = std::string(format) != "v7" && std::string(format) != "ustar";
    const std::string name = longNames ? std::string(180, 'n') : "plain";
    dir.write("t/" + name, "content\n");
    ASSERT_TRUE(dir.shell("cd t && ln -s plain link && ln " + name +
                          " zhard && mkdir sub && chmod 1777 sub && "
                          "truncate -s 1M sparse && printf end | dd of=sparse bs=1 seek=524288 "
                          "conv=notrunc status=none"));
    const bool sparse = longNames;
    ASSERT_TRUE(
        dir.shell(std::string("tar --format=") + format + (sparse ? " -S" : "") + " -cf a.tar t"))
        << format;
    const std::string archive = dir.read("a.tar");
    StringSource source(archive);
    TarReader reader(source);
    std::map<std::string, TarEntry> seen;
    std::map<std::string, std::string> contents;
    for (;;) {
      const auto entry = reader.next();
      ASSERT_TRUE(entry) << format << ": " << entry.error().message;
      if (!*entry) {
        break;
      }
      contents[(*entry)->name] = contentOf(reader);
      seen[(*entry)->name] = **entry;
    }
    EXPECT_EQ(seen.size(), 6u) << format;
    EXPECT_EQ(seen["t/sub"].type, TarType::kDirectory);
    EXPECT_EQ(seen["t/sub"].mode, 01777u);
    EXPECT_EQ(seen["t/link"].link, "plain");
    // Which of the two names comes first is the file system's choice.
    EXPECT_EQ(contents["t/" + name] + contents["t/zhard"], "content\n") << format;
    EXPECT_EQ(contents["t/sparse"], dir.read("t/sparse")) << format;
  }
}

std::string headerWith(const std::function<void(Block&)>& change) {
  std::string archive = archiveOf({{fileEntry("f", 0), ""}});
  Block block;
  std::copy_n(archive.begin(), kBlockSize, block.begin());
  change(block);
  setChecksum(block);
  return std::string(block.begin(), block.end());
}

TEST(TarReader, RefusesHostileArchives) {
  const std::string good = archiveOf({{fileEntry("f", 600), std::string(600, 'x')}});
  std::string flipped = good;
  flipped[0] = 'g';
  const auto pax = [](const std::string& records) {
    return headerWith([&](Block& b) {
             b[kTypeField.offset] = 'x';
             setOctal(b, kSizeField, static_cast<std::int64_t>(records.size()));
           }) +
           records + std::string((512 - records.size() % 512) % 512, '\0') +
           archiveOf({{fileEntry("f", 0), ""}});
  };
  std::string many;
  for (int i = 0; i < 40; ++i) {
    many += headerWith([](Block& b) { b[kTypeField.offset] = 'x'; });
  }
  const std::vector<std::pair<const char*, std::string>> cases = {
      {"wrong checksum", flipped},
      {"cut in the header", good.substr(0, 300)},
      {"cut in the data", good.substr(0, 700)},
      {"huge pax header", headerWith([](Block& b) {
         b[kTypeField.offset] = 'x';
         setOctal(b, kSizeField, 077777777);
       })},
      {"endless extension headers", many},
      {"unknown type", headerWith([](Block& b) { b[kTypeField.offset] = 'Z'; })},
      {"size that is no number", headerWith([](Block& b) { setText(b, kSizeField, "12x45"); })},
      {"negative size in base 256", headerWith([](Block& b) {
         std::fill_n(b.begin() + static_cast<std::ptrdiff_t>(kSizeField.offset), 12, '\xff');
       })},
      {"size over 64 bits", headerWith([](Block& b) { b[kSizeField.offset] = '\x9f'; })},
      {"pax record without newline", pax("11 path=abc")},
      {"pax length too large", pax("99999999999999999999 path=a\n")},
      {"pax size negative", pax("11 size=-5\n")},
      {"pax uid negative", pax("9 uid=-1\n")},
      {"sparse map that goes back", pax("27 GNU.sparse.map=9,1,0,1\n\n")},
  };
  for (const auto& [what, archive] : cases) {
    StringSource source(archive);
    TarReader reader(source);
    auto entry = reader.next();
    while (entry && *entry) {
      entry = reader.next();
    }
    EXPECT_FALSE(entry) << what;
    if (!entry) {
      EXPECT_EQ(entry.error().code, Code::kInvalid) << what;
    }
  }
}

TEST(CleanEntryName, NeverLeadsOut) {
  const std::vector<std::pair<std::string, std::optional<std::string>>> cases = {
      {"a/b", "a/b"},
      {"./a//b/", "a/b"},
      {"/etc/passwd", "etc/passwd"},
      {".", ""},
      {"a/../b", "b"},
      {"/../a", "a"},
      {"../a", std::nullopt},
      {"a/../../b", std::nullopt},
      {std::string("a\0b", 3), std::nullopt},
      {std::string(5000, 'a'), std::nullopt},
  };
  for (const auto& [name, expected] : cases) {
    const auto got = cleanEntryName(name);
    EXPECT_EQ(got.has_value(), expected.has_value()) << quoted(name, 40);
    if (got && expected) {
      EXPECT_EQ(*got, *expected);
    }
  }
}

TEST(PaxTime, KeepsNanosecondsAndSigns) {
  for (const Timestamp t :
       {Timestamp{0, 0}, Timestamp{5, 1}, Timestamp{-1, 0}, Timestamp{-1, 750000000},
        Timestamp{-7, 999999999}, Timestamp{1600000000, 120000000}}) {
    const std::string text = formatPaxTime(t);
    const auto back = parsePaxTime(text);
    ASSERT_TRUE(back) << text;
    EXPECT_EQ(*back, t) << text;
  }
  EXPECT_EQ(formatPaxTime({1, 120000000}), "1.12");
  EXPECT_EQ(formatPaxTime({-1, 750000000}), "-0.25");
  EXPECT_FALSE(parsePaxTime("1.x"));
  EXPECT_FALSE(parsePaxTime(""));
}

}  // namespace
}  // namespace stagewright::layer
