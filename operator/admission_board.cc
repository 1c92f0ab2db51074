#include "operator/admission_board.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/api/conditions.h"
#include "lib/kube/resource.h"
#include "operator/json_at.h"

namespace stagewright::op {

namespace {
std::int64_t numberAt(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

std::optional<TimePoint> timeAt(const Json& object, const char* key) {
  const Result<TimePoint> time = parseTime(textAt(object, key));
  return time ? std::optional<TimePoint>(*time) : std::nullopt;
}

bool isHeld(const Json& status) {
  for (const Json& condition : at(status, "conditions")) {
    if (textAt(condition, "type") == api::condition::kAdmitted) {
      return textAt(condition, "reason") == "Held";
    }
  }
  return false;
}
}  // namespace

AdmissionBoard::AdmissionBoard(const Clock& clock, queue::Limits limits, RulesOf rulesOf, Wake wake)
    : clock_(clock), rulesOf_(std::move(rulesOf)), wake_(std::move(wake)), state_(State(limits)) {}

/// Reads as little as it needs: it is called for every change of every build.
AdmissionBoard::Seen AdmissionBoard::parse(const std::string& key, const Json& build) {
  const Json& metadata = at(build, "metadata");
  const Json& spec = at(build, "spec");
  const Json& status = at(build, "status");
  const Json& run = at(status, "run");
  Seen out;
  out.version = textAt(metadata, "resourceVersion");
  out.position = static_cast<int>(numberAt(run, "queuePosition"));
  out.ticket = {key, textAt(metadata, "namespace"), textAt(run, "queue"),
                numberAt(spec, "priority"), timeAt(run, "startTime").value_or(TimePoint{})};
  out.refused = !textAt(run, "result").empty() && !textAt(at(status, "failure"), "rule").empty();
  if (!run.is_object() || !textAt(run, "result").empty()) {
    return out;
  }
  const bool admitted =
      at(run, "admittedTime").is_string() || numberAt(at(run, "prepare"), "attempt") > 0;
  const bool leaves = at(metadata, "deletionTimestamp").is_string();
  const bool suspended = at(spec, "suspend") == Json(true);
  if (admitted) {
    out.state = Seen::State::kRunning;
  } else if (!leaves && !suspended) {
    out.state = Seen::State::kWaiting;
    out.held = isHeld(status);
  }
  return out;
}

void AdmissionBoard::learnRules(State& state, const std::string& ns) const {
  if (!state.queue.knows(ns)) {
    state.queue.setRules(ns, rulesOf_(ns));
  }
}

/// What the cache shows, unless a place was granted that it cannot show yet.
void AdmissionBoard::place(State& state, const std::string& key) const {
  if (state.grants.contains(key)) {
    return;
  }
  const auto seen = state.seen.find(key);
  if (seen == state.seen.end() || seen->second.state == Seen::State::kIdle) {
    state.queue.leave(key);
    return;
  }
  learnRules(state, seen->second.ticket.ns);
  if (seen->second.state == Seen::State::kRunning) {
    state.queue.run(seen->second.ticket);
  } else {
    state.queue.wait(seen->second.ticket);
  }
}

std::vector<std::string> AdmissionBoard::admit(State& state) const {
  std::vector<std::string> out;
  while (state.open) {
    std::optional<std::string> key = state.queue.admitNext(clock_.now());
    if (!key) {
      break;
    }
    state.grants[*key] = {};
    out.push_back(std::move(*key));
  }
  return out;
}

void AdmissionBoard::wakeAll(const std::vector<std::string>& keys) const {
  for (const std::string& key : keys) {
    wake_(key);
  }
}

void AdmissionBoard::observe(const kube::Change& change) {
  std::vector<std::string> admitted;
  {
    auto state = state_.lock();
    const auto grant = state->grants.find(change.key);
    if (change.after == nullptr) {
      state->seen.erase(change.key);
      if (grant != state->grants.end()) {
        state->grants.erase(grant);
      }
    } else {
      Seen seen = parse(change.key, *change.after);
      const std::optional<TimePoint> turn =
          timeAt(at(at(*change.after, "status"), "run"), "admittedTime");
      if (turn) {
        learnRules(*state, seen.ticket.ns);
        state->queue.noteTurn(seen.ticket.ns, *turn);
      }
      if (grant != state->grants.end() && !grant->second.version.empty() &&
          kube::isAtLeast(seen.version, grant->second.version)) {
        state->grants.erase(grant);
      }
      state->seen[change.key] = std::move(seen);
    }
    place(*state, change.key);
    admitted = admit(*state);
  }
  wakeAll(admitted);
}

void AdmissionBoard::expectRunning(const Json& build) {
  const std::string key = kube::keyOf(build);
  Seen live = parse(key, build);
  if (live.state != Seen::State::kRunning) {
    return;
  }
  auto state = state_.lock();
  const auto seen = state->seen.find(key);
  if (seen != state->seen.end() && kube::isAtLeast(seen->second.version, live.version)) {
    return;
  }
  state->grants[key] = {live.version};
  learnRules(*state, live.ticket.ns);
  state->queue.run(live.ticket);
}

void AdmissionBoard::dropVanished(const std::string& cacheVersion) {
  std::vector<std::string> admitted;
  {
    auto state = state_.lock();
    for (auto it = state->grants.begin(); it != state->grants.end();) {
      const bool vanished = !it->second.version.empty() && !state->seen.contains(it->first) &&
                            kube::isAtLeast(cacheVersion, it->second.version);
      if (vanished) {
        state->queue.leave(it->first);
        it = state->grants.erase(it);
      } else {
        ++it;
      }
    }
    admitted = admit(*state);
  }
  wakeAll(admitted);
}

void AdmissionBoard::open() {
  std::vector<std::string> admitted;
  {
    auto state = state_.lock();
    // What was learned before the policies were known may be wrong.
    for (const std::string& ns : state->queue.namespaces()) {
      state->queue.setRules(ns, rulesOf_(ns));
    }
    state->open = true;
    admitted = admit(*state);
  }
  wakeAll(admitted);
}

void AdmissionBoard::refreshRules(const std::string& ns) {
  std::vector<std::string> wake;
  {
    auto state = state_.lock();
    if (!state->open) {
      return;  // open() asks for them all
    }
    for (const std::string& known : state->queue.namespaces()) {
      if (ns.empty() || known == ns) {
        state->queue.setRules(known, rulesOf_(known));
      }
    }
    wake = admit(*state);
    for (const auto& [key, seen] : state->seen) {
      if (seen.refused && (ns.empty() || seen.ticket.ns == ns)) {
        wake.push_back(key);
      }
    }
  }
  wakeAll(wake);
}

std::optional<lifecycle::Admission> AdmissionBoard::ask(const queue::Ticket& ticket) {
  std::vector<std::string> admitted;
  std::optional<queue::Place> waits;
  {
    auto state = state_.lock();
    if (!state->open) {
      return std::nullopt;
    }
    learnRules(*state, ticket.ns);
    if (!state->queue.isRunning(ticket.key)) {
      state->queue.wait(ticket);
      admitted = admit(*state);
    } else {
      // It has a place already, perhaps of the run before this one: a grant keeps it from ending
      // with that run.
      state->grants.try_emplace(ticket.key);
    }
    waits = state->queue.placeOf(ticket.key);
  }
  std::erase(admitted, ticket.key);  // that is the caller's
  wakeAll(admitted);
  lifecycle::Admission out;
  if (waits) {
    out = {false, waits->position, waits->block == queue::Block::kHeld,
           queue::sentence(*waits, ticket)};
  }
  return out;
}

void AdmissionBoard::settle(const std::string& key, bool asked, const std::string& written) {
  std::vector<std::string> admitted;
  {
    auto state = state_.lock();
    const auto grant = state->grants.find(key);
    if (asked && grant == state->grants.end()) {
      return;  // it waits
    }
    const auto seen = state->seen.find(key);
    if (asked) {
      grant->second.version = written;
      const bool shown = seen != state->seen.end() && !written.empty() &&
                         kube::isAtLeast(seen->second.version, written);
      if (!shown) {
        return;
      }
    }
    if (grant != state->grants.end()) {
      state->grants.erase(grant);
    }
    place(*state, key);
    if (!asked && state->queue.isWaiting(key)) {
      state->queue.leave(key);  // something else holds it; it asks when that is over
    }
    admitted = admit(*state);
  }
  wakeAll(admitted);
}

std::vector<std::string> AdmissionBoard::stalePositions(std::size_t limit) const {
  std::vector<std::pair<int, std::string>> stale;
  auto state = state_.lock();
  state->queue.eachWaiting([&](const queue::Ticket& ticket, const queue::Place& place) {
    const auto seen = state->seen.find(ticket.key);
    const bool differs = seen != state->seen.end() && seen->second.state == Seen::State::kWaiting &&
                         (seen->second.position != place.position ||
                          seen->second.held != (place.block == queue::Block::kHeld));
    if (differs) {
      stale.emplace_back(place.position, ticket.key);
    }
  });
  std::stable_sort(stale.begin(), stale.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(limit, stale.size()); ++i) {
    out.push_back(std::move(stale[i].second));
  }
  return out;
}

AdmissionBoard::Snapshot AdmissionBoard::snapshot() const {
  auto state = state_.lock();
  Snapshot out{state->queue.waiting(), state->queue.running(), {}};
  if (const std::optional<TimePoint> since = state->queue.oldest()) {
    out.oldest = std::max(clock_.now() - *since, TimePoint::duration(0));
  }
  return out;
}

}  // namespace stagewright::op
