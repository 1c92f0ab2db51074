// libFuzzer target: whatever the bytes, the tar reader ends, stays in its bounds and never says
// more data than it gives.
#include "lib/layer/tar_reader.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/layer/tar_writer.h"

using stagewright::layer::cleanEntryName;
using stagewright::layer::StringSink;
using stagewright::layer::StringSource;
using stagewright::layer::TarReader;
using stagewright::layer::TarType;
using stagewright::layer::TarWriter;

namespace {

/// Data of one entry, at most a megabyte: a sparse file may claim to be huge.
std::int64_t readData(TarReader& reader) {
  char buffer[4096];
  std::int64_t total = 0;
  while (total < 1 << 20) {
    const auto n = reader.read(buffer, sizeof buffer);
    if (!n || *n == 0) {
      return n ? total : -1;
    }
    total += static_cast<std::int64_t>(*n);
  }
  return -1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  StringSource source(std::string_view(reinterpret_cast<const char*>(data), size));
  TarReader reader(source);
  for (;;) {
    const auto entry = reader.next();
    if (!entry || !*entry) {
      return 0;
    }
    const auto name = cleanEntryName((*entry)->name);
    if (name && (name->starts_with('/') || name->find("..") == 0)) {
      const bool dots = *name == ".." || name->starts_with("../") || name->starts_with('/');
      if (dots) {
        std::abort();  // a name that leads out
      }
    }
    const std::int64_t got = readData(reader);
    if (got >= 0 && got != (*entry)->size) {
      std::abort();
    }
    // What was read can be written again, unless tar cannot hold it.
    StringSink sink;
    TarWriter writer(sink);
    auto copy = **entry;
    copy.size = 0;
    const auto written = writer.add(copy);
    (void)written;
  }
}
