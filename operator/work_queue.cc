#include "operator/work_queue.h"

#include <algorithm>

namespace stagewright::op {

namespace {

constexpr Millis kFirstDelay{250};
constexpr Millis kLongestDelay{300'000};
constexpr int kOthersPerLater = 15;

Millis ceilingOf(int failures) {
  Millis ceiling = kFirstDelay;
  for (int i = 1; i < failures && ceiling < kLongestDelay; ++i) {
    ceiling *= 2;
  }
  return std::min(ceiling, kLongestDelay);
}

std::string namespaceOf(const std::string& key) { return key.substr(0, key.find('/')); }

Millis between(std::mt19937_64& random, Millis low, Millis high) {
  return Millis(
      std::uniform_int_distribution<Millis::rep>(low.count(), std::max(low, high).count())(random));
}

}  // namespace

WorkQueue::WorkQueue(Clock& clock, QueueObserver* observer, std::uint64_t seed)
    : clock_(clock), observer_(observer) {
  state_.lock()->random.seed(seed);
}

void WorkQueue::add(const std::string& key, Lane lane) {
  {
    auto state = state_.lock();
    if (observer_ != nullptr) {
      observer_->onAdd();
    }
    enqueue(*state, key, lane);
  }
  changed_.notify_one();
}

WorkQueue::Order WorkQueue::orderOf(const std::string& key, const Item& item) {
  return {item.lane == Lane::kLater, item.place, key};
}

void WorkQueue::enqueue(State& state, const std::string& key, Lane lane) {
  Item& item = state.items[key];
  if (item.working) {
    item.lane = item.again ? std::max(item.lane, lane) : lane;
    item.again = true;
    return;
  }
  if (item.waiting) {
    if (lane > item.lane) {
      overtake(state, key, item, lane);
    }
    return;
  }
  item.waiting = true;
  item.lane = lane;
  item.place = spendTurn(state, key, lane);
  item.since = clock_.steadyNow();
  state.ready.insert(orderOf(key, item));
  if (observer_ != nullptr) {
    observer_->onDepth(state.ready.size());
  }
}

void WorkQueue::overtake(State& state, const std::string& key, Item& item, Lane lane) {
  Item moved = item;
  moved.lane = lane;
  moved.place = nextTurn(state, key, lane);
  if (orderOf(key, moved) < orderOf(key, item)) {
    state.ready.erase(orderOf(key, item));
    moved.place = spendTurn(state, key, lane);
    item = moved;
    state.ready.insert(orderOf(key, item));
  }
}

std::uint64_t WorkQueue::nextTurn(State& state, const std::string& key, Lane lane) {
  const Turns& turns = state.turns[lane == Lane::kLater];
  const auto last = turns.last.find({namespaceOf(key), lane});
  return std::max(last == turns.last.end() ? 0 : last->second, turns.present) + 1;
}

std::uint64_t WorkQueue::spendTurn(State& state, const std::string& key, Lane lane) {
  const std::uint64_t turn = nextTurn(state, key, lane);
  state.turns[lane == Lane::kLater].last[{namespaceOf(key), lane}] = turn;
  return turn;
}

void WorkQueue::addAfter(const std::string& key, Millis wait) {
  {
    auto state = state_.lock();
    delay(*state, key, between(state->random, wait * 95 / 100, wait * 105 / 100));
  }
  changed_.notify_all();  // every waiter must know the earliest time
}

void WorkQueue::addAfterFailure(const std::string& key, Millis atLeast) {
  {
    auto state = state_.lock();
    const int failures = ++state->items[key].failures;
    delay(*state, key, std::max(atLeast, between(state->random, Millis(0), ceilingOf(failures))));
    if (observer_ != nullptr) {
      observer_->onRetry();
    }
  }
  changed_.notify_all();  // every waiter must know the earliest time
}

void WorkQueue::delay(State& state, const std::string& key, Millis wait) {
  Item& item = state.items[key];
  const SteadyPoint due = clock_.steadyNow() + wait;
  if (item.due && *item.due <= due) {
    return;
  }
  if (item.due) {
    state.delayed.erase({*item.due, key});
  }
  item.due = due;
  state.delayed.insert({due, key});
}

void WorkQueue::forget(const std::string& key) {
  auto state = state_.lock();
  if (const auto it = state->items.find(key); it != state->items.end()) {
    it->second.failures = 0;
    dropIfIdle(*state, key);
  }
}

void WorkQueue::dropIfIdle(State& state, const std::string& key) {
  const auto it = state.items.find(key);
  const Item& item = it->second;
  if (!item.waiting && !item.working && !item.due && item.failures == 0) {
    state.items.erase(it);
  }
}

void WorkQueue::promoteDue(State& state) {
  const SteadyPoint now = clock_.steadyNow();
  while (!state.delayed.empty() && state.delayed.begin()->first <= now) {
    const std::string key = state.delayed.begin()->second;
    state.delayed.erase(state.delayed.begin());
    state.items[key].due.reset();
    enqueue(state, key, Lane::kProgress);
  }
}

std::set<WorkQueue::Order>::iterator WorkQueue::choose(State& state) {
  const auto later = state.ready.lower_bound({true, 0, ""});
  const bool isTurn = later != state.ready.end() && state.sinceLater >= kOthersPerLater;
  const auto chosen = isTurn ? later : state.ready.begin();
  state.sinceLater = chosen->later ? 0 : state.sinceLater + 1;
  return chosen;
}

std::optional<WorkQueue::Work> WorkQueue::take(State& state) {
  promoteDue(state);
  if (state.ready.empty() || state.down) {
    return std::nullopt;
  }
  const auto chosen = choose(state);
  std::string key = chosen->key;
  state.turns[chosen->later].present = chosen->place;
  state.ready.erase(chosen);
  if (state.ready.empty()) {
    state.turns.clear();
  }
  Item& item = state.items[key];
  const SteadyPoint now = clock_.steadyNow();
  if (observer_ != nullptr) {
    observer_->onStart(std::chrono::duration_cast<Millis>(now - item.since));
    observer_->onDepth(state.ready.size());
  }
  item.waiting = false;
  item.working = true;
  item.since = now;
  return Work{std::move(key), item.lane};
}

std::optional<WorkQueue::Work> WorkQueue::tryGet() { return take(*state_.lock()); }

std::optional<WorkQueue::Work> WorkQueue::get(std::stop_token stop) {
  auto state = state_.lock();
  while (!stop.stop_requested() && !state->down) {
    if (std::optional<Work> work = take(*state)) {
      return work;
    }
    const auto usable = [&] { return state->down || !state->ready.empty(); };
    if (state->delayed.empty()) {
      // A new delay wakes us too: it may be due before anything else.
      changed_.wait(state.guard(), stop, [&] { return usable() || !state->delayed.empty(); });
    } else {
      const SteadyPoint due = state->delayed.begin()->first;
      changed_.wait_until(state.guard(), stop, due, [&] {
        return usable() || state->delayed.empty() || state->delayed.begin()->first < due;
      });
    }
  }
  return std::nullopt;
}

void WorkQueue::done(const std::string& key) {
  {
    auto state = state_.lock();
    Item& item = state->items[key];
    if (observer_ != nullptr) {
      observer_->onDone(std::chrono::duration_cast<Millis>(clock_.steadyNow() - item.since));
    }
    item.working = false;
    if (std::exchange(item.again, false)) {
      enqueue(*state, key, item.lane);
    } else {
      dropIfIdle(*state, key);
    }
  }
  changed_.notify_one();
}

void WorkQueue::shutdown() {
  state_.lock()->down = true;
  changed_.notify_all();
}

std::size_t WorkQueue::depth() const { return state_.lock()->ready.size(); }

WorkQueue::Unfinished WorkQueue::unfinished() const {
  auto state = state_.lock();
  Unfinished out;
  const SteadyPoint now = clock_.steadyNow();
  for (const auto& [key, item] : state->items) {
    if (item.working) {
      const auto age = std::chrono::duration_cast<Millis>(now - item.since);
      out.longest = std::max(out.longest, age);
      out.sum += age;
    }
  }
  return out;
}

}  // namespace stagewright::op
