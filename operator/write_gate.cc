#include "operator/write_gate.h"

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

bool WriteGate::isOpen(const std::string& key) {
  auto pending = pending_.lock();
  const auto it = pending->find(key);
  if (it == pending->end()) {
    return true;
  }
  bool passed = true;
  for (std::size_t kind = 0; kind < it->second.versions.size(); ++kind) {
    const std::string& wanted = it->second.versions[kind];
    passed = passed && (wanted.empty() || kube::isAtLeast(cacheVersion_(static_cast<CachedKind>(kind)), wanted));
  }
  if (!passed && clock_.steadyNow() - it->second.since > kLongest) {
    log::warn("the cache does not reach our own write, going on without", {{"build", key}});
    passed = true;
  }
  if (passed) {
    pending->erase(it);
  }
  return passed;
}

}  // namespace stagewright::op
