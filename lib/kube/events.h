// Events (events.k8s.io/v1) on our objects, sent in the background.
#pragma once

#include <condition_variable>
#include <deque>
#include <string>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"
#include "lib/base/json.h"
#include "lib/kube/client.h"
#include "lib/kube/event_correlator.h"

namespace stagewright::kube {

struct EventTarget {
  std::string apiVersion;
  std::string kind;
  std::string ns;
  std::string name;
  std::string uid;
  std::string resourceVersion;
};

/// Thread-safe. At most 1000 events wait; further ones are dropped. Destruction drops what waits.
class EventRecorder {
 public:
  /// `controller`: stagewright.dev/operator; `instance`: who we are, at most 128 bytes.
  EventRecorder(ApiClient& client, Clock& clock, std::string controller, std::string instance);
  ~EventRecorder();

  /// Never waits. `action` says what was done or tried.
  void record(const EventTarget& target, EventText text, const std::string& action);

 private:
  struct Pending {
    std::string ns;
    std::string name;
    std::string event;  ///< complete JSON, for a create
    int count = 1;      ///< above 1: patch the series of the event that exists
  };
  struct State {
    EventCorrelator correlator;
    std::deque<Pending> queue;
  };

  Json makeEvent(const EventTarget& target, const EventText& text, const EventVerdict& verdict,
                 const std::string& action) const;
  void run(std::stop_token stop);
  void deliver(const Pending& pending, std::stop_token stop);
  ApiStatus sendOnce(const Pending& pending, std::stop_token stop);

  ApiClient& client_;
  Clock& clock_;
  std::string controller_;
  std::string instance_;
  Guarded<State> state_;
  std::condition_variable_any ready_;
  std::jthread sender_;
};

}  // namespace stagewright::kube
