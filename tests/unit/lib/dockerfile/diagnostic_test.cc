#include "lib/dockerfile/diagnostic.h"

#include <gtest/gtest.h>

namespace stagewright::dockerfile {
namespace {

TEST(FormatDiagnostic, ShowsPlaceExcerptAndCaret) {
  const Source source{"services/api/Dockerfile", "a\nb\nc\nd\ne\nf\nCOPY --from /app .\n"};
  EXPECT_EQ(
      formatDiagnostic(source, {"", 7, 6, 7}, "expected a stage name or image, got \"--from\""),
      "services/api/Dockerfile:7:6: expected a stage name or image, got \"--from\"\n"
      "  7 | COPY --from /app .\n"
      "    |      ^");
  EXPECT_EQ(formatDiagnostic(source, {"", 7, 0, 7}, "m", "h"),
            "services/api/Dockerfile:7: m\n  7 | COPY --from /app .\nhint: h");
  EXPECT_EQ(formatDiagnostic(source, {}, "m"), "services/api/Dockerfile: m");
  EXPECT_EQ(formatDiagnostic(source, {"", 99, 1, 99}, "m"),
            "services/api/Dockerfile:99:1: m\n  99 | \n     | ^");
}

TEST(FormatDiagnostic, CutsLongLinesAndHidesControlCharacters) {
  const Source source{"D", "\x1b[31m" + std::string(300, 'x') + "Y" + std::string(300, 'z')};
  const std::string text = formatDiagnostic(source, {"", 1, 306, 1}, "m");
  EXPECT_LT(text.size(), 420U);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  const std::size_t line = text.find("| ");
  const std::size_t caretLine = text.rfind("| ");
  EXPECT_EQ(text.find('Y') - line - 2 - (std::string("…").size() - 1),
            text.find('^') - caretLine - 2);
}

TEST(LocateToken, PrefersWholeWords) {
  const Source source{"D", "FROM x\nCOPY --from=a b\\\n  a b\n"};
  const SourceRange range{"D", 2, 1, 3};
  EXPECT_EQ(locateToken(source, range, "a"), (SourceRange{"D", 3, 3, 3}));
  EXPECT_EQ(locateToken(source, range, "--from"), (SourceRange{"D", 2, 6, 3}));
  EXPECT_EQ(locateToken(source, range, "FROM"), range);
  EXPECT_EQ(locateToken(source, range, ""), range);
}

TEST(NearestOption, StaysWithinTwoEdits) {
  const std::vector<std::string> options = {"chown", "chmod", "from", "link"};
  EXPECT_EQ(nearestOption("form", options, false), "from");
  EXPECT_EQ(nearestOption("chwn", options, false), "chown");
  EXPECT_EQ(nearestOption("lnk", options, false), "link");
  EXPECT_EQ(nearestOption("links", options, false), "link");
  EXPECT_EQ(nearestOption("user", options, false), "");
  EXPECT_EQ(nearestOption("from", options, false), "");
  EXPECT_EQ(nearestOption("FORM", options, false), "");
  EXPECT_EQ(nearestOption("FORM", options, true), "FROM");
  EXPECT_EQ(nearestOption("Form", options, true), "from");
  EXPECT_EQ(nearestOption("", options, false), "");
  EXPECT_EQ(nearestOption(std::string(1000000, 'a'), {std::string(999999, 'b')}, false), "");
}

TEST(ParseErrorAt, CountsTheFirstLineOfTheInstruction) {
  const Source source{"D", "COPY \\\n --x a b\n"};
  const Error error = parseErrorAt(source, {"D", 1, 1, 2}, "m", "--x");
  EXPECT_EQ(error.message, "D:2:2: dockerfile parse error on line 1: m\n  2 |  --x a b\n    |  ^");
  EXPECT_EQ(error.where->line, 2);
  EXPECT_EQ(error.code, Code::kInvalid);
}

}  // namespace
}  // namespace stagewright::dockerfile
