#include "builder-pod/stage/held_secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "lib/base/file.h"
#include "lib/layer/root.h"
#include "lib/plan/hand_over.h"

namespace stagewright::stage {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kMaxValue = 2 * 1024 * 1024;
constexpr std::size_t kMaxHandOver = 256 * 1024;
constexpr std::size_t kShortestMask = 6;
constexpr std::size_t kShortestLineMask = 8;
constexpr Millis kPoll{20};

std::string withoutNewline(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  return text;
}

Result<plan::HandOver> awaitHandOver(int directory, Millis patience, const Stop& stop) {
  const auto end = steady_clock::now() + patience;
  for (;;) {
    const auto text = loadFileBeneath(directory, std::string(plan::kHandOverFile), kMaxHandOver);
    if (text) {
      return plan::parseHandOver(*text);
    }
    if (text.error().code != Code::kNotFound) {
      return text.error();
    }
    if (stop.requested()) {
      return cancelled("the stage was stopped before its secrets came");
    }
    if (steady_clock::now() >= end) {
      return unavailable("the container \"secrets\" of this pod did not pass on its secrets");
    }
    std::this_thread::sleep_for(kPoll);
  }
}

/// The bytes go, not only the name: pages of a memory volume are reused.
Result<std::string> takeFile(int directory, const std::string& name) {
  TRY(std::string bytes, loadFileBeneath(directory, name, kMaxValue));
  TRY(const Fd file, openBeneath(directory, name, O_WRONLY));
  CHECK_OK(writeAll(file.get(), std::string(bytes.size(), '\0'), name));
  if (::unlinkat(directory, name.c_str(), 0) != 0) {
    return systemError("remove", name, errno);
  }
  return bytes;
}

void addMasks(const std::string& value, std::vector<std::string>& out) {
  const std::string whole = withoutNewline(value);
  if (whole.find('\n') == std::string::npos) {
    if (whole.size() >= kShortestMask) {
      out.push_back(whole);
    }
    return;
  }
  for (std::size_t begin = 0; begin <= whole.size();) {
    const std::size_t end = std::min(whole.find('\n', begin), whole.size());
    const std::string line = withoutNewline(whole.substr(begin, end - begin));
    if (line.size() >= kShortestLineMask) {
      out.push_back(line);
    }
    begin = end + 1;
  }
}

}  // namespace

Status removeContents(int directory) {
  TRY(const std::vector<std::string> names, layer::listDirectory(directory, ""));
  for (const std::string& name : names) {
    CHECK_OK(layer::removeTree(directory, name));
  }
  return ok();
}

std::vector<std::string> HeldSecrets::masks() const {
  std::vector<std::string> out;
  for (const auto* held : {&values, &keys}) {
    for (const auto& [id, value] : *held) {
      addMasks(value, out);
    }
  }
  // The longest first: one secret may be the beginning of another.
  std::sort(out.begin(), out.end(),
            [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  return out;
}

Result<HeldSecrets> takeSecrets(const std::string& directory, Millis patience, const Stop& stop) {
  TRY(const Fd fd, openDirectory(directory));
  TRY(const plan::HandOver handOver, awaitHandOver(fd.get(), patience, stop));
  HeldSecrets held;
  for (const plan::HandOver::Item& item : handOver.items) {
    auto& into = item.kind == plan::SecretGrant::Kind::kSecret ? held.values : held.keys;
    TRY(into[item.id], takeFile(fd.get(), item.file));
  }
  // Steps pass through it to what a mount of theirs shows, and may not write to it.
  if (::fchmod(fd.get(), 0711) != 0) {
    return systemError("chmod", directory, errno);
  }
  CHECK_OK(removeContents(fd.get()));
  if (!handOver.problem.empty()) {
    return notFound(handOver.problem);
  }
  return held;
}

}  // namespace stagewright::stage
