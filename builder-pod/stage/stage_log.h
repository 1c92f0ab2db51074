// What a stage says on its standard output: the steps' own output, lines for people, sealed frames
// for machines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/seal.h"

namespace stagewright::stage {

/// Only this object writes to the descriptor, so lines never mix. A failed write is ignored: the
/// log is no result. Not thread-safe.
class StageLog {
 public:
  StageLog(int fd, std::string key, SealScope scope);

  /// From now on `***` is shown for these texts in the output of steps, wherever it is broken into
  /// pieces. Longest first.
  void hide(std::vector<std::string> texts) { hidden_ = std::move(texts); }
  /// Output of a step, as it is. Lines longer than 64 KiB are broken.
  void output(std::string_view bytes);
  /// A line of ours; an unfinished line of a step is ended first.
  void line(std::string_view text);
  /// From now on what is for people goes to `copy` too: its first two MiB at once, its last MiB
  /// with finishCopy(). For those who read after the pod is gone.
  void copyTo(Fd copy) { copy_ = std::move(copy); }
  void finishCopy();
  /// Adds "seq", seals and writes.
  void frame(Json json);
  /// The end of the current step's output, at most 2 KiB.
  std::string tail();
  void forgetTail();

 private:
  void write(std::string_view bytes);
  void say(std::string_view bytes);
  void show(std::string_view bytes);
  void flush();
  void endLine();

  int fd_;
  std::string key_;
  SealScope scope_;
  std::int64_t sequence_ = 0;
  std::size_t column_ = 0;
  std::string tail_;
  Fd copy_;
  std::size_t copied_ = 0;
  std::size_t leftOut_ = 0;
  std::string held_;  ///< the end of what was not copied yet
  std::vector<std::string> hidden_;
  std::string pending_;  ///< end of the output that may be the beginning of a hidden text
};

}  // namespace stagewright::stage
