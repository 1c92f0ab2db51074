#include "lib/kube/line_sink.h"

#include <gtest/gtest.h>

#include <ostream>
#include <thread>
#include <vector>

namespace stagewright::kube {
namespace {

std::vector<std::string> split(LineSplitter& splitter, const std::vector<std::string>& pieces,
                               bool& ok) {
  std::vector<std::string> lines;
  const auto keep = [&](std::string_view line) { lines.emplace_back(line); };
  ok = true;
  for (const std::string& piece : pieces) {
    ok = ok && splitter.feed(piece, keep);
  }
  splitter.finish(keep);
  return lines;
}

TEST(LineSplitter, JoinsPiecesWhereverTheyAreCut) {
  const std::string text = "one\ntwo\n\nthree";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    LineSplitter splitter(100, false);
    bool ok = false;
    EXPECT_EQ(split(splitter, {text.substr(0, cut), text.substr(cut)}, ok),
              (std::vector<std::string>{"one", "two", "", "three"}));
    EXPECT_TRUE(ok);
  }
}

TEST(LineSplitter, TakesALineOfExactlyTheLimit) {
  LineSplitter splitter(3, false);
  bool ok = false;
  EXPECT_EQ(split(splitter, {"abc\n"}, ok), std::vector<std::string>{"abc"});
  EXPECT_TRUE(ok);
}

TEST(LineSplitter, RefusesALongerLine) {
  LineSplitter splitter(3, false);
  bool ok = false;
  split(splitter, {"ab", "cd\nx\n"}, ok);
  EXPECT_FALSE(ok);
}

TEST(LineSplitter, SkipsLongLinesWhenAsked) {
  LineSplitter splitter(3, true);
  bool ok = false;
  EXPECT_EQ(split(splitter, {"a\nbbb", "bbbb", "\nc\nddddd"}, ok),
            (std::vector<std::string>{"a", "c"}));
  EXPECT_TRUE(ok);
  EXPECT_EQ(splitter.skippedLines(), 2u);
}

std::vector<std::string> drain(LineQueue& queue) {
  std::vector<std::string> lines;
  while (auto line = queue.pop()) {
    lines.push_back(*line);
  }
  return lines;
}

TEST(LineSink, GivesLinesToAnotherThread) {
  LineQueue queue(1 << 20);
  const StreamLimits limits;
  LineSink sink(limits, queue);
  std::thread writer([&] {
    std::ostream out(&sink);
    for (int i = 0; i < 1000; ++i) {
      out << "line " << i << '\n';
    }
    sink.finish();
    queue.close();
  });
  EXPECT_EQ(drain(queue).size(), 1000u);
  writer.join();
  EXPECT_EQ(sink.fault(), SinkFault::kNone);
}

TEST(LineSink, KeepsOnlyLinesWithThePrefixAndTheHead) {
  LineQueue queue(1 << 20);
  StreamLimits limits;
  limits.prefix = "##";
  LineSink sink(limits, queue);
  std::ostream(&sink) << "noise\n##a\n{\"kind\":1}";
  sink.finish();
  queue.close();
  EXPECT_EQ(drain(queue), std::vector<std::string>{"##a"});
  EXPECT_EQ(sink.head(), "noise\n##a\n{\"kind\":1}");
}

TEST(LineSink, RemembersItsFaultAndTakesEverythingAfterIt) {
  struct Case {
    StreamLimits limits;
    SinkFault fault;
  };
  const Case cases[] = {
      {{.lineBytes = 2}, SinkFault::kLineTooLong},
      {{.queueBytes = 4}, SinkFault::kReaderTooSlow},
      {{.totalBytes = 5}, SinkFault::kStreamTooLong},
  };
  for (const Case& c : cases) {
    LineQueue queue(c.limits.queueBytes);
    LineSink sink(c.limits, queue);
    std::ostream out(&sink);
    out << "abc\ndef\n";
    out << "more\n";
    EXPECT_TRUE(out.good());
    EXPECT_EQ(sink.fault(), c.fault);
    drain(queue);  // the queue is closed: this ends
  }
}

}  // namespace
}  // namespace stagewright::kube
