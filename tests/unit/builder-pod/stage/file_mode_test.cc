#include "builder-pod/stage/file_mode.h"

#include <gtest/gtest.h>

namespace stagewright::stage {
namespace {

TEST(FileMode, AppliesOctalAndSymbolicModes) {
  struct Case {
    const char* text;
    std::uint32_t before;
    bool directory;
    std::uint32_t after;
  };
  const Case cases[] = {
      {"644", 0755, false, 0644},
      {"4755", 0644, false, 04755},
      {"0", 0777, false, 0},
      {"7777", 0, true, 07777},
      {"u+x", 0644, false, 0744},
      {"go-rwx", 0777, false, 0700},
      {"+x", 0644, false, 0755},
      {"a=r", 0777, false, 0444},
      {"u=rwX,go=rX", 0600, false, 0644},
      {"u=rwX,go=rX", 0600, true, 0755},
      {"u=rwX,go=rX", 0700, false, 0755},
      {"g=u", 0750, false, 0770},
      {"o=g-w", 0770, false, 0775},
      {"u+s", 0755, false, 04755},
      {"g+s", 0755, false, 02755},
      {"+t", 0777, true, 01777},
      {"o+t", 0777, true, 0777},
      {"o+s", 0755, false, 0755},
      {"a-s", 06755, false, 0755},
      {"=", 06777, false, 0},
      {"u=", 0777, false, 0077},
      {"-X", 0755, false, 0644},
      {"u=g", 0750, false, 0550},
      {"g-u", 0770, false, 0700},
      {"u+w-x", 0555, false, 0655},
      {"=rwx", 01000, false, 01777},
  };
  for (const Case& c : cases) {
    const auto mode = FileMode::parse(c.text);
    ASSERT_TRUE(mode) << c.text;
    EXPECT_EQ(mode->apply(c.before, c.directory), c.after)
        << c.text << " on " << std::oct << c.before;
  }
}

TEST(FileMode, RefusesWhatBuildKitRefuses) {
  for (const char* text :
       {"", "8", "17777", "0x1", "u", "u+q", "rwx", "u+x,", ",u+x", "u+x;", "755x"}) {
    const auto mode = FileMode::parse(text);
    ASSERT_FALSE(mode) << text;
    EXPECT_EQ(mode.error().message, "invalid chmod parameter: '" + std::string(text) +
                                        "'. it should be octal string and between 0 and 07777");
  }
}

}  // namespace
}  // namespace stagewright::stage
