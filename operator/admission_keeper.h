// What a leader does for the queue beside reconciling: learns what its predecessor admitted, opens
// the board, and now and then has the positions in statuses brought up to date.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/kube/client.h"
#include "operator/admission_board.h"

namespace stagewright::op {

class AdmissionKeeper {
 public:
  struct Parts {
    kube::ApiClient& client;
    Clock& clock;
    std::vector<std::string> namespaces;  ///< empty: all
    AdmissionBoard& board;
    std::function<std::string()> cacheVersion;  ///< of builds
    std::function<void(const std::string& key)> wake;
  };
  explicit AdmissionKeeper(Parts parts) : p_(std::move(parts)) {}

  /// Until stopped. REQUIRES: we lead.
  void run(std::stop_token stop);
  /// One list from the quorum, page by page: the caches of a standby may be behind the last write
  /// of the leader before it.
  kube::ApiStatus learn(std::stop_token stop);
  kube::ApiStatus learnOf(const std::string& ns, std::stop_token stop);
  /// Wakes at most a hundred builds, one after the other with a pause.
  void refresh(std::stop_token stop);

 private:
  Parts p_;
};

}  // namespace stagewright::op
