#include "builder-pod/publish/frames.h"

#include <nlohmann/json.hpp>

#include "lib/base/file.h"

namespace stagewright::publish {

void FrameWriter::write(const Json& frame) {
  auto sequence =
      sequence_.lock();  // held while writing: lines must come in the order of their numbers
  Json numbered = frame;
  numbered["seq"] = ++*sequence;
  // Without a reader of our log there is nobody to tell.
  static_cast<void>(
      writeAll(fd_, makeFrame(key_, scope_, dumpJson(numbered)) + "\n", "standard output"));
}

}  // namespace stagewright::publish
