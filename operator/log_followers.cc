#include "operator/log_followers.h"

#include <algorithm>
#include <exception>

#include "lib/base/log.h"
#include "lib/base/seal.h"
#include "lib/pods/pods.h"

namespace stagewright::op {

namespace {

constexpr std::size_t kMaxLine = 256 << 10;  // a plan frame has at most 128 KiB
constexpr std::size_t kMaxLog = std::size_t{1} << 30;
constexpr std::size_t kMaxWaiting = 8 << 20;
constexpr std::chrono::seconds kFairTurn{5};  // before a follower may be asked to give way
constexpr Millis kShortPause{300};
constexpr Millis kLongPause{5'000};
constexpr Millis kEndPatience{10'000};  // a followed log usually ends because its container did

bool containerEnded(const lifecycle::ObservedPod& pod) {
  return pod.isTerminal() ||
         pod.container.state == lifecycle::ObservedContainer::State::kTerminated;
}

/// How much is known; folding a new fact makes it grow.
int weight(const lifecycle::LogFacts& facts) {
  return (facts.plan ? 1 : 0) + (facts.pushChecked ? 1 : 0) + (facts.image ? 1 : 0) +
         (facts.failure ? 1 : 0);
}

kube::LogOptions logOptions(const lifecycle::ObservedPod& pod) {
  kube::LogOptions options;
  options.container = pod.role;
  options.follow = true;
  options.limits.lineBytes = kMaxLine;
  options.limits.skipLongLines = true;
  options.limits.totalBytes = kMaxLog;
  options.limits.queueBytes = kMaxWaiting;
  options.limits.prefix = kFramePrefix;
  return options;
}

}  // namespace

LogFollowers::LogFollowers(kube::ApiClient& client, Clock& clock, std::size_t maxThreads,
                           OnFact onFact)
    : client_(client), clock_(clock), maxThreads_(maxThreads), onFact_(std::move(onFact)) {}

LogFollowers::~LogFollowers() {
  std::vector<std::jthread> threads;
  {
    auto state = state_.lock();
    for (auto& [uid, target] : state->targets) {
      target->wanted = false;
      target->turn.request_stop();
    }
    threads = std::move(state->threads);
  }
  for (std::jthread& thread : threads) {
    thread.request_stop();
  }
}

// ---- what the reconciler calls ----

void LogFollowers::follow(const std::string& key, const std::string& ns,
                          const std::vector<lifecycle::ObservedPod>& pods) {
  auto state = state_.lock();
  std::set<std::string> wanted;
  for (const lifecycle::ObservedPod& pod : pods) {
    wanted.insert(pod.uid);
    std::shared_ptr<Target>& target = state->targets[pod.uid];
    if (!target) {
      target = std::make_shared<Target>();
      state->uidsOfKey[key].insert(pod.uid);
    }
    target->key = key;
    target->ns = ns;
    if (!target->followed) {
      target->pod = pod;
    }
    target->wanted = true;
    if (!target->ended && containerEnded(pod)) {
      target->ended = true;
      ended_.notify_all();
    }
    if (!target->queued && !target->followed && !target->facts.complete) {
      enqueue(*state, target);
    }
  }
  for (const std::string& uid : state->uidsOfKey[key]) {
    if (!wanted.contains(uid)) {
      state->targets[uid]->wanted = false;
      state->targets[uid]->turn.request_stop();
    }
  }
  makeRoom(*state);
}

std::map<std::string, lifecycle::LogFacts> LogFollowers::facts(
    const std::string& key, const std::vector<lifecycle::ObservedPod>& existing) {
  std::map<std::string, lifecycle::LogFacts> out;
  auto state = state_.lock();
  const auto uids = state->uidsOfKey.find(key);
  if (uids == state->uidsOfKey.end()) {
    return out;
  }
  std::set<std::string> gone = uids->second;
  for (const lifecycle::ObservedPod& pod : existing) {
    if (gone.erase(pod.uid) > 0) {
      out[pod.name] = state->targets[pod.uid]->facts;
    }
  }
  for (const std::string& uid : gone) {
    state->targets[uid]->wanted = false;
    state->targets[uid]->turn.request_stop();
    state->targets.erase(uid);
    uids->second.erase(uid);
  }
  if (uids->second.empty()) {
    state->uidsOfKey.erase(uids);
  }
  return out;
}

void LogFollowers::forget(const std::string& key) { facts(key, {}); }

// ---- threads ----

void LogFollowers::enqueue(State& state, const std::shared_ptr<Target>& target) {
  target->queued = true;
  state.queue.push_back(target);
  queued_.notify_one();
  if (state.idle < state.queue.size() && state.threads.size() < maxThreads_) {
    state.threads.emplace_back([this](std::stop_token stop) { work(stop); });
  }
}

LogFollowers::Urgency LogFollowers::urgencyOf(const Target& target) {
  return target.failing                          ? Urgency::kFailing
         : target.ended                          ? Urgency::kEnded
         : target.pod.role == pods::kRolePrepare ? Urgency::kPlan
         : !target.facts.pushChecked             ? Urgency::kMayPush
                                                 : Urgency::kNothing;
}

/// REQUIRES: one waits. Among equals the first that came.
std::shared_ptr<LogFollowers::Target> LogFollowers::takeMostUrgent(State& state) {
  const auto first =
      std::min_element(state.queue.begin(), state.queue.end(),
                       [](const auto& a, const auto& b) { return urgencyOf(*a) < urgencyOf(*b); });
  std::shared_ptr<Target> target = *first;
  state.queue.erase(first);
  target->queued = false;
  return target;
}

/// If a log waits and no thread is free, one that is less urgent gives way, or else the one that
/// was followed the longest, unless it has only begun.
void LogFollowers::makeRoom(State& state) {
  if (state.queue.empty() || state.idle > 0 || state.threads.size() < maxThreads_) {
    return;
  }
  Urgency waiting = Urgency::kNothing;
  for (const auto& target : state.queue) {
    waiting = isSettled(*target) ? waiting : std::min(waiting, urgencyOf(*target));
  }
  if (waiting == Urgency::kNothing) {
    return;
  }
  Target* idlest = nullptr;
  Target* longest = nullptr;
  for (const auto& [uid, target] : state.targets) {
    if (!target->followed || target->turn.stop_requested()) {
      continue;
    }
    if (longest == nullptr || target->turnStarted < longest->turnStarted) {
      longest = target.get();
    }
    if (idlest == nullptr || urgencyOf(*idlest) < urgencyOf(*target)) {
      idlest = target.get();
    }
  }
  if (idlest != nullptr && waiting < urgencyOf(*idlest)) {
    idlest->turn.request_stop();
  } else if (longest != nullptr && clock_.steadyNow() - longest->turnStarted > kFairTurn) {
    longest->turn.request_stop();
  }
}

void LogFollowers::work(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::shared_ptr<Target> target;
    std::stop_source turn;
    {
      auto state = state_.lock();
      ++state->idle;
      queued_.wait(state.guard(), stop, [&] { return !state->queue.empty(); });
      --state->idle;
      if (stop.stop_requested() || state->queue.empty()) {
        return;
      }
      target = takeMostUrgent(*state);
      if (isSettled(*target)) {
        continue;
      }
      target->followed = true;
      target->turn = turn;
      target->turnStarted = clock_.steadyNow();
    }
    const std::stop_callback endTurn(stop, [&turn] { turn.request_stop(); });
    takeTurn(*target, turn.get_token());
    auto state = state_.lock();
    target->followed = false;
    if (!isSettled(*target) && !stop.stop_requested()) {
      enqueue(*state, target);
    }
  }
}

/// Reads the log until it is settled or the turn ends.
void LogFollowers::takeTurn(Target& target, std::stop_token turn) {
  Millis pause = kShortPause;
  bool told = false;
  while (!turn.stop_requested()) {
    const bool endedBefore = hasEnded(target);
    const kube::ApiStatus read = readLog(target, turn);
    if (turn.stop_requested()) {
      return;
    }
    setFailing(target, !read);
    if (read && endedBefore) {
      setFacts(target, [](lifecycle::LogFacts& facts) { facts.complete = true; });
      return;
    }
    if (read) {
      waitForEnd(target, kEndPatience, turn);
      pause = kShortPause;
      continue;
    }
    // A container that is about to start answers 400; a pod that is gone answers 404 until the
    // caches know. Anything else holds the build up, and somebody must be able to find out why.
    const int status = read.error().status;
    if (!told && status != 400 && status != 404) {
      log::warn("a log cannot be read, trying again",
                {{"build", target.key}, {"pod", target.pod.name}, {"error", read.error().message}});
      told = true;
    }
    clock_.sleepFor(pause, turn);
    pause = std::min(pause * 2, kLongPause);
  }
}

kube::ApiStatus LogFollowers::readLog(Target& target, std::stop_token turn) {
  return client_.log(
      target.ns, target.pod.name, logOptions(target.pod),
      [&](std::string_view line) {
        foldLine(target, line);
        return true;
      },
      turn);
}

/// Only this thread changes the target's facts, so they may be folded outside the lock.
void LogFollowers::foldLine(Target& target, std::string_view line) {
  lifecycle::LogFacts grown = factsOf(target);
  const int before = weight(grown);
  const Status folded = lifecycle::foldLogLine(grown, target.pod, line);
  if (!folded) {
    log::warn("a sealed frame cannot be read",
              {{"pod", target.pod.name}, {"error", folded.error().message}});
  }
  if (weight(grown) > before) {
    setFacts(target, [&](lifecycle::LogFacts& facts) { facts = std::move(grown); });
  }
}

lifecycle::LogFacts LogFollowers::factsOf(const Target& target) {
  auto state = state_.lock();
  return target.facts;
}

void LogFollowers::setFacts(Target& target,
                            const std::function<void(lifecycle::LogFacts&)>& change) {
  {
    auto state = state_.lock();
    change(target.facts);
  }
  onFact_(target.key);
}

void LogFollowers::setFailing(Target& target, bool failing) {
  auto state = state_.lock();
  target.failing = failing;
}

/// Whether the container has; if so, its log is being asked for from now on at the latest.
bool LogFollowers::hasEnded(Target& target) {
  auto state = state_.lock();
  if (target.ended && !target.facts.askedAtEnd) {
    target.facts.askedAtEnd = clock_.now();
  }
  return target.ended;
}

bool LogFollowers::waitForEnd(Target& target, Millis patience, std::stop_token turn) {
  auto state = state_.lock();
  return ended_.wait_for(state.guard(), turn, patience, [&] { return target.ended; });
}

}  // namespace stagewright::op
