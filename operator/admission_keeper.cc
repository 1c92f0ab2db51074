#include "operator/admission_keeper.h"

#include <algorithm>

#include "lib/base/log.h"
#include "lib/kube/retry_delay.h"

namespace stagewright::op {

namespace {
constexpr int kPage = 500;
constexpr std::chrono::seconds kRefresh{5};
constexpr std::size_t kPerRefresh = 100;
/// Ten status writes per second at most, however long the queue is, and none in a bunch that a new
/// build would have to wait for.
constexpr Millis kBetween{100};
constexpr const char* kUnfinished =
    "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Cancelled";
}  // namespace

void AdmissionKeeper::run(std::stop_token stop) {
  kube::RetryDelay delay(p_.clock, std::random_device{}());
  for (kube::ApiStatus learned = learn(stop); !learned; learned = learn(stop)) {
    if (stop.stop_requested()) {
      return;
    }
    log::warn("cannot list the admitted builds, nothing is admitted until that works",
              {{"error", learned.error().message}});
    p_.clock.sleepFor(std::max(delay.next(), learned.error().retryAfter), stop);
  }
  p_.board.open();
  while (p_.clock.sleepFor(kRefresh, stop)) {
    refresh(stop);
  }
}

kube::ApiStatus AdmissionKeeper::learn(std::stop_token stop) {
  const std::vector<std::string> all = {""};
  for (const std::string& ns : p_.namespaces.empty() ? all : p_.namespaces) {
    if (kube::ApiStatus learned = learnOf(ns, stop); !learned) {
      return learned;
    }
  }
  return {};
}

kube::ApiStatus AdmissionKeeper::learnOf(const std::string& ns, std::stop_token stop) {
  kube::ListOptions options;
  options.fieldSelector = kUnfinished;
  options.limit = kPage;
  for (;;) {
    kube::ApiResult<kube::ListMeta> page = p_.client.list(
        kube::kImageBuilds, ns, options, [this](Json& build) { p_.board.expectRunning(build); },
        stop);
    if (!page && page.error().code == Code::kInvalid && !options.fieldSelector.empty()) {
      // Servers before 1.31 select by no fields of ours: the finished ones come too.
      options.fieldSelector.clear();
      continue;
    }
    if (!page) {
      return std::move(page).error();
    }
    options.continueToken = page->continueToken;
    if (options.continueToken.empty()) {
      return {};
    }
  }
}

void AdmissionKeeper::refresh(std::stop_token stop) {
  p_.board.dropVanished(p_.cacheVersion());
  for (const std::string& key : p_.board.stalePositions(kPerRefresh)) {
    p_.wake(key);
    if (!p_.clock.sleepFor(kBetween, stop)) {
      return;
    }
  }
}

}  // namespace stagewright::op
