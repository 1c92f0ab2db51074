// Keeps a Store equal to what the API server has of one kind, and says what changed. The beginning
// is a WatchList (everything that exists, told as events) where the server has it, else a list and
// then a watch (controllers.md items 1 to 5).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <string>

#include "lib/base/clock.h"
#include "lib/kube/client.h"
#include "lib/kube/retry_delay.h"
#include "lib/kube/store.h"

namespace stagewright::kube {

struct WatchEvent;

struct InformerOptions {
  Resource resource{};
  std::string ns{};  ///< empty: all namespaces
  std::string labelSelector{};
  Store::IndexFunction index{};
  /// Cuts an object down before it is kept. Server bookkeeping (managedFields, the last-applied
  /// annotation) is cut always.
  std::function<void(Json&)> trim{};
  bool watchList = false;  ///< try a WatchList; any trouble with it falls back to a list
  std::uint64_t seed = std::random_device{}();
};

/// One difference between what we knew and what is. Deletions that happened while we were
/// disconnected come too.
struct Change {
  const std::string& key;
  const Json* before;  ///< null: it is new to us
  const Json* after;   ///< null: it is gone
  bool initial;        ///< part of the first list, or what stands for it
};

class Informer {
 public:
  /// Called on the thread of run(), after the store has changed; must be quick.
  using Handler = std::function<void(const Change&)>;

  Informer(ApiClient& client, Clock& clock, InformerOptions options, Handler handler);
  /// Keeps a store that informers of other namespaces keep too; `index` is the store's.
  /// REQUIRES: options.ns is set, and no other informer of the store has it.
  Informer(ApiClient& client, Clock& clock, InformerOptions options, Store& store, Handler handler);

  /// Lists and watches until stopped; survives everything else with backoff.
  void run(std::stop_token stop);

  const Store& store() const { return store_; }
  bool isSynced() const { return synced_.load(); }
  /// We may not list this kind, as of the last try.
  bool isDenied() const { return denied_.load(); }
  /// The server does not know this kind, as of the last try.
  bool isUnknown() const { return unknown_.load(); }
  /// For a while the kind is not served, or we may not see it: what the store holds gets older and
  /// older.
  bool isCutOff() const { return cutOff_.load(); }
  /// What the store has seen. Bookmarks count.
  std::string resourceVersion() const;
  std::int64_t listCount() const { return lists_.load(); }

 private:
  enum class Next { kWatch, kWatchList, kList, kListFresh };

  /// Returns the wait before the next step; nothing: at once.
  std::optional<Millis> step(std::stop_token stop);
  std::optional<Millis> listAll(std::stop_token stop);
  ApiStatus listPages(const std::string& version, std::set<std::string>& seen,
                      std::stop_token stop);
  std::optional<Millis> watchAll(std::stop_token stop);
  std::optional<Millis> watchOnce(std::stop_token stop);
  ApiStatus watchFrom(WatchOptions options, int& events, std::stop_token stop);
  ApiStatus onInitialEvent(WatchEvent event);
  void becomeSynced();
  Next freshStart() const;
  std::optional<Millis> afterWatch(const ApiStatus& ended, int events, SteadyPoint started);
  ApiStatus onEvent(WatchEvent event);

  void clean(Json& object) const;
  void upsert(Json& object, const std::string& version);
  void dropUnseen(const std::set<std::string>& seen);
  void erase(const std::string& key, const std::string& version);
  void advance(const std::string& version);
  void setVersion(std::string version);

  ApiClient& client_;
  Clock& clock_;
  InformerOptions options_;
  Handler handler_;
  Store own_;  ///< unused if the store is shared
  Store& store_;
  RetryDelay delay_;
  std::mt19937_64 random_;
  Next next_ = Next::kList;
  std::optional<SteadyPoint> failingSince_;  ///< of refused watches
  bool whole_ = false;                       ///< the next fresh list is not cut in pages
  bool streams_;                             ///< a WatchList may work
  std::set<std::string> initial_;            ///< keys that the running WatchList has told so far
  mutable Guarded<std::string> version_;
  std::atomic<bool> synced_ = false;     ///< set once by run(), read by anybody
  std::atomic<bool> denied_ = false;     ///< set by run(), read by anybody
  std::atomic<bool> unknown_ = false;    ///< set by run(), read by anybody
  std::atomic<bool> cutOff_ = false;     ///< set by run(), read by anybody
  std::atomic<std::int64_t> lists_ = 0;  ///< for tests and metrics
};

}  // namespace stagewright::kube
