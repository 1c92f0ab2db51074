// Read your own writes: after a write a build is not planned again until the caches have passed the
// version that the write returned (controllers.md item 9, KEP-5647).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"

namespace stagewright::op {

enum class CachedKind { kBuild, kPod, kClaim };

/// Thread-safe.
class WriteGate {
 public:
  /// The resource version that the cache of a kind has seen of a namespace.
  using CacheVersion = std::function<std::string(CachedKind, const std::string& ns)>;
  WriteGate(const Clock& clock, CacheVersion cacheVersion)
      : clock_(clock), cacheVersion_(std::move(cacheVersion)) {}

  /// A write for `key` returned an object with this version; an empty one is ignored.
  void expect(const std::string& key, CachedKind kind, const std::string& version);
  /// Nothing: the gate is open. Else how soon to look again; that grows with the wait, for the
  /// caches are usually some milliseconds behind, and minutes when the API server is away.
  std::optional<Millis> wait(const std::string& key);
  /// The version that `key` waits for; empty: none.
  std::string expected(const std::string& key, CachedKind kind);
  void forget(const std::string& key) { pending_.lock()->erase(key); }

 private:
  // Versions that never come (a restored API server counts from an older one) must not hold a build
  // for ever.
  static constexpr std::chrono::minutes kLongest{10};
  static constexpr Millis kShortestLook{20};
  static constexpr Millis kLongestLook{1'000};

  struct Pending {
    std::array<std::string, 3> versions;  ///< by CachedKind
    SteadyPoint since;
  };

  bool hasPassed(const Pending& pending, const std::string& ns) const;

  const Clock& clock_;
  CacheVersion cacheVersion_;
  Guarded<std::map<std::string, Pending>> pending_;
};

}  // namespace stagewright::op
