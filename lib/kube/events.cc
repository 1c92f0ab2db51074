#include "lib/kube/events.h"

#include <nlohmann/json.hpp>

#include "lib/api/conditions.h"
#include "lib/base/log.h"

namespace stagewright::kube {

namespace {
constexpr std::size_t kMaxQueue = 1000;
constexpr std::size_t kMaxNote = 1024;
constexpr std::size_t kMaxInstance = 128;
constexpr int kMaxEventTries = 12;
constexpr Millis kBetweenTries{10'000};
}  // namespace

EventRecorder::EventRecorder(ApiClient& client, Clock& clock, std::string controller,
                             std::string instance)
    : client_(client),
      clock_(clock),
      controller_(std::move(controller)),
      instance_(instance.substr(0, kMaxInstance)),
      sender_([this](std::stop_token stop) { run(stop); }) {}

EventRecorder::~EventRecorder() {
  sender_.request_stop();
  ready_.notify_all();
}

void EventRecorder::record(const EventTarget& target, EventText text, const std::string& action) {
  text.note = cleanText(text.note, kMaxNote);
  auto state = state_.lock();
  const EventVerdict verdict =
      state->correlator.judge(target.name, target.uid, text, clock_.steadyNow(), clock_.now());
  if (verdict.kind == EventVerdict::Kind::kDrop || state->queue.size() >= kMaxQueue) {
    return;
  }
  state->queue.push_back(
      {target.ns, verdict.name, dumpJson(makeEvent(target, text, verdict, action)), verdict.count});
  ready_.notify_one();
}

Json EventRecorder::makeEvent(const EventTarget& target, const EventText& text,
                              const EventVerdict& verdict, const std::string& action) const {
  return {{"apiVersion", "events.k8s.io/v1"},
          {"kind", "Event"},
          {"metadata", {{"name", verdict.name}, {"namespace", target.ns}}},
          {"eventTime", formatMicroTime(clock_.now())},
          {"reportingController", controller_},
          {"reportingInstance", instance_},
          {"action", action},
          {"type", text.type},
          {"reason", text.reason},
          {"note", verdict.note},
          {"regarding",
           {{"apiVersion", target.apiVersion},
            {"kind", target.kind},
            {"namespace", target.ns},
            {"name", target.name},
            {"uid", target.uid},
            {"resourceVersion", target.resourceVersion}}}};
}

void EventRecorder::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::optional<Pending> next;
    {
      auto state = state_.lock();
      ready_.wait(state.guard(), stop, [&] { return !state->queue.empty(); });
      if (!state->queue.empty()) {
        next = std::move(state->queue.front());
        state->queue.pop_front();
      }
    }
    if (next && !stop.stop_requested()) {
      deliver(*next, stop);
    }
  }
}

void EventRecorder::deliver(const Pending& pending, std::stop_token stop) {
  for (int attempt = 1; attempt <= kMaxEventTries; ++attempt) {
    const ApiStatus sent = sendOnce(pending, stop);
    if (sent || sent.error().code != Code::kUnavailable) {
      if (!sent && sent.error().code != Code::kCancelled &&
          !sent.error().isNamespaceTerminating()) {
        log::debug("event refused", {{"error", sent.error().message}});
      }
      return;
    }
    if (!clock_.sleepFor(kBetweenTries, stop)) {
      return;
    }
  }
}

ApiStatus EventRecorder::sendOnce(const Pending& pending, std::stop_token stop) {
  if (pending.count > 1) {
    const Json series = {
        {"series",
         {{"count", pending.count}, {"lastObservedTime", formatMicroTime(clock_.now())}}}};
    const ApiResult<Json> patched =
        client_.patch(kEvents, pending.ns, pending.name, PatchType::kMerge, series, stop);
    if (patched || patched.error().code != Code::kNotFound) {
      return patched ? ApiStatus() : ApiStatus(patched.error());
    }
  }
  const ApiResult<Json> created =
      client_.create(kEvents, pending.ns, Json::parse(pending.event), stop);
  return created || created.error().isAlreadyExists() ? ApiStatus() : ApiStatus(created.error());
}

}  // namespace stagewright::kube
