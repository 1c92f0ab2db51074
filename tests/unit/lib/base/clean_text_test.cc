#include "lib/base/clean_text.h"

#include <gtest/gtest.h>

namespace stagewright {
namespace {

TEST(CleanText, RemovesWhatMovesACursor) {
  EXPECT_EQ(cleanText("a\x1b[31mb\r\tc\nd\x7f", 100), "ab  c\nd ");
  EXPECT_EQ(cleanText("\xC2\x9B"
                      "31m",
                      100),
            " 31m")
      << "C1 as UTF-8";
  EXPECT_EQ(cleanText("\xff\xc0\xaf", 100), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(cleanText("grün 漢 😀", 100), "grün 漢 😀");
  EXPECT_EQ(cleanText("\xed\xa0\x80", 100), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD")
      << "a surrogate";
}

TEST(CleanText, CutsOnACharacter) {
  EXPECT_EQ(cleanText("abcdef", 6), "abcdef");
  EXPECT_EQ(cleanText("abcdefg", 6), "abc…");
  EXPECT_EQ(cleanText("ü"
                      "ü"
                      "ü"
                      "ü",
                      7),
            "ü"
            "ü"
            "…");
  EXPECT_EQ(cleanText("abc", 2), "");
  for (std::size_t limit = 0; limit < 40; ++limit) {
    EXPECT_LE(cleanText("漢字漢字漢字漢字漢字\xff\xff", limit).size(), limit);
  }
}

TEST(CleanText, LeavesTerminalSequencesOut) {
  EXPECT_EQ(cleanText("\x1b[1;31mred\x1b[0m", 100), "red");
  EXPECT_EQ(cleanText("a\x1b]0;title\x07"
                      "b\x1b]8;;http://x\x1b\\link",
                      100),
            "ablink");
  EXPECT_EQ(cleanText("a\x1bMb\x1b(c", 100), "ab (c") << "an unknown one loses its ESC";
  EXPECT_EQ(cleanText("x\x1b[12", 100), "x [12") << "not ended";
}

TEST(CleanText, LeavesNoWayToTurnOrBreakLines) {
  EXPECT_EQ(cleanText("a\u202Eb\u2066c\u2028d\u061Ce", 100), "a b c d e");
}

TEST(CleanLine, IsOne) { EXPECT_EQ(cleanLine("a\nb\r\nc", 100), "a b  c"); }

TEST(CleanTail, ShowsTheLastWholeLinesAsATerminalWould) {
  EXPECT_EQ(cleanTail("one\ntwo\nthree\n\n  \n", 100), "one\ntwo\nthree");
  EXPECT_EQ(cleanTail("one\ntwo\nthree\n", 9), "two\nthree");
  EXPECT_EQ(cleanTail("one\ntwo\nthree\n", 8), "three");
  EXPECT_EQ(cleanTail(" 10%\r 50%\r100%\r\ndone\r\n", 100), "100%\ndone");
  EXPECT_EQ(cleanTail("a\n\nb", 100), "a\n\nb");
  EXPECT_EQ(cleanTail("\x1b[32mok\x1b[0m\n", 100), "ok");
  EXPECT_EQ(cleanTail("", 100), "");
  EXPECT_EQ(cleanTail("\n\n", 100), "");
  EXPECT_EQ(cleanTail(std::string(50, 'x'), 10), "xxxxxxx…");
}

}  // namespace
}  // namespace stagewright
