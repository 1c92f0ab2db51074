#include "operator/write_gate.h"

#include <algorithm>

#include "lib/base/log.h"
#include "lib/kube/resource.h"

namespace stagewright::op {

void WriteGate::expect(const std::string& key, CachedKind kind, const std::string& version) {
  if (version.empty()) {
    return;
  }
  auto pending = pending_.lock();
  Pending& entry = (*pending)[key];
  std::string& wanted = entry.versions[static_cast<std::size_t>(kind)];
  if (!kube::isAtLeast(wanted, version)) {
    wanted = version;
  }
  entry.since = clock_.steadyNow();
}

std::optional<Millis> WriteGate::wait(const std::string& key) {
  auto pending = pending_.lock();
  const auto it = pending->find(key);
  if (it == pending->end()) {
    return std::nullopt;
  }
  const auto age = std::chrono::duration_cast<Millis>(clock_.steadyNow() - it->second.since);
  if (!hasPassed(it->second, key.substr(0, key.find('/')))) {
    if (age <= kLongest) {
      return std::clamp(age / 4, kShortestLook, kLongestLook);
    }
    log::warn("the cache does not reach our own write, going on without", {{"build", key}});
  }
  pending->erase(it);
  return std::nullopt;
}

std::string WriteGate::expected(const std::string& key, CachedKind kind) {
  auto pending = pending_.lock();
  const auto it = pending->find(key);
  return it == pending->end() ? "" : it->second.versions[static_cast<std::size_t>(kind)];
}

bool WriteGate::hasPassed(const Pending& pending, const std::string& ns) const {
  for (std::size_t kind = 0; kind < pending.versions.size(); ++kind) {
    const std::string& wanted = pending.versions[kind];
    if (!wanted.empty() &&
        !kube::isAtLeast(cacheVersion_(static_cast<CachedKind>(kind), ns), wanted)) {
      return false;
    }
  }
  return true;
}

}  // namespace stagewright::op
