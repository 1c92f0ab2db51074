#include "lib/queue/fair_queue.h"

#include <tuple>

#include "lib/base/error.h"

namespace stagewright::queue {

namespace {
constexpr int kFar = 1001;

bool isFull(int running, int limit) { return limit > 0 && running >= limit; }

int queueLimitOf(const NamespaceRules& rules, const std::string& queue) {
  const auto it = rules.queues.find(queue);
  return it == rules.queues.end() ? 0 : it->second;
}

int countOf(const std::map<std::string, int>& counts, const std::string& name) {
  const auto it = counts.find(name);
  return it == counts.end() ? 0 : it->second;
}

std::string placesTaken(int limit, const std::string& whose) {
  return limit == 1 ? "the one place of " + whose + " is taken"
                    : "all " + std::to_string(limit) + " places of " + whose + " are taken";
}

std::string positionText(int position) {
  return position >= kFar ? "position beyond 1000"
         : position > 5   ? "position " + std::to_string(position) + " or before"
                          : "position " + std::to_string(position);
}
}  // namespace

int coarsePosition(int exact) {
  for (const int step : {5, 10, 100, 1000}) {
    if (exact <= step) {
      return step == 5 ? exact : step;
    }
  }
  return kFar;
}

std::string sentence(const Place& place, const Ticket& ticket) {
  std::string why;
  switch (place.block) {
    case Block::kHeld:
      return place.heldBy;
    case Block::kTurn:
      why = placesTaken(place.limit, "the operator");
      break;
    case Block::kNamespaceLimit:
      why = placesTaken(place.limit, "namespace " + ticket.ns);
      break;
    case Block::kQueueLimit:
      why = placesTaken(place.limit,
                        "queue " + quoted(ticket.queue, 64) + " in namespace " + ticket.ns);
      break;
  }
  return "waits for its turn, " + positionText(place.position) + " in namespace " + ticket.ns +
         ": " + why;
}

void FairQueue::setRules(const std::string& ns, NamespaceRules rules) {
  spaces_[ns].rules = std::move(rules);
}

std::vector<std::string> FairQueue::namespaces() const {
  std::vector<std::string> out;
  for (const auto& [ns, space] : spaces_) {
    out.push_back(ns);
  }
  return out;
}

void FairQueue::wait(const Ticket& ticket) {
  leave(ticket.key);
  Space& space = spaces_[ticket.ns];
  space.order.insert(orderOf(ticket));
  space.queues[ticket.queue].insert(orderOf(ticket));
  since_.insert(ticket.since);
  ++waiting_;
  entries_[ticket.key] = {ticket, false};
}

void FairQueue::run(const Ticket& ticket) {
  leave(ticket.key);
  Space& space = spaces_[ticket.ns];
  ++space.running;
  ++space.runningIn[ticket.queue];
  entries_[ticket.key] = {ticket, true};
}

void FairQueue::leave(const std::string& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) {
    return;
  }
  const Ticket& ticket = it->second.ticket;
  Space& space = spaces_[ticket.ns];
  if (it->second.running) {
    --space.running;
    if (--space.runningIn[ticket.queue] == 0) {
      space.runningIn.erase(ticket.queue);
    }
  } else {
    space.order.erase(orderOf(ticket));
    const auto group = space.queues.find(ticket.queue);
    group->second.erase(orderOf(ticket));
    if (group->second.empty()) {
      space.queues.erase(group);
    }
    since_.erase(since_.find(ticket.since));
    --waiting_;
  }
  entries_.erase(it);
}

void FairQueue::noteTurn(const std::string& ns, TimePoint admitted) {
  std::optional<TimePoint>& last = spaces_[ns].lastTurn;
  if (!last || *last < admitted) {
    last = admitted;
  }
}

/// The first that waits in a queue with a free place.
const FairQueue::Order* FairQueue::candidate(const Space& space) const {
  if (!space.rules.heldBy.empty() || isFull(space.running, limitOf(space))) {
    return nullptr;
  }
  const Order* first = nullptr;
  for (const auto& [queue, tickets] : space.queues) {
    const bool full = isFull(countOf(space.runningIn, queue), queueLimitOf(space.rules, queue));
    if (!full && (first == nullptr || *tickets.begin() < *first)) {
      first = &*tickets.begin();
    }
  }
  return first;
}

bool FairQueue::comesBefore(const Space& a, const Space& b) {
  const auto rank = [](const Space& space) {
    return std::tuple(space.running, space.lastTurn.value_or(TimePoint::min()),
                      space.order.begin()->since);
  };
  return rank(a) < rank(b);
}

std::optional<std::string> FairQueue::admitNext(TimePoint now) {
  if (waiting_ == 0 || isFull(static_cast<int>(running()), limits_.running)) {
    return std::nullopt;
  }
  const Order* chosen = nullptr;
  const Space* chosenSpace = nullptr;
  for (const auto& [ns, space] : spaces_) {
    const Order* order = candidate(space);
    if (order != nullptr && (chosen == nullptr || comesBefore(space, *chosenSpace))) {
      chosen = order;
      chosenSpace = &space;
    }
  }
  if (chosen == nullptr) {
    return std::nullopt;
  }
  const Ticket ticket = entries_.at(chosen->key).ticket;
  noteTurn(ticket.ns, now);
  run(ticket);
  return ticket.key;
}

bool FairQueue::isWaiting(const std::string& key) const {
  const auto it = entries_.find(key);
  return it != entries_.end() && !it->second.running;
}

bool FairQueue::isRunning(const std::string& key) const {
  const auto it = entries_.find(key);
  return it != entries_.end() && it->second.running;
}

Place FairQueue::blockOf(const Space& space, const std::string& queue) const {
  Place out;
  const int ofQueue = queueLimitOf(space.rules, queue);
  if (!space.rules.heldBy.empty()) {
    out.block = Block::kHeld;
    out.heldBy = space.rules.heldBy;
  } else if (isFull(countOf(space.runningIn, queue), ofQueue)) {
    out.block = Block::kQueueLimit;
    out.limit = ofQueue;
  } else if (isFull(space.running, limitOf(space))) {
    out.block = Block::kNamespaceLimit;
    out.limit = limitOf(space);
  } else {
    out.limit = limits_.running;
  }
  return out;
}

std::optional<Place> FairQueue::placeOf(const std::string& key) const {
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.running) {
    return std::nullopt;
  }
  const Ticket& ticket = it->second.ticket;
  const Space& space = spaces_.at(ticket.ns);
  Place out = blockOf(space, ticket.queue);
  int exact = 1;
  for (auto at = space.order.begin(); at->key != key && exact < kFar; ++at) {
    ++exact;
  }
  out.position = coarsePosition(exact);
  return out;
}

void FairQueue::eachWaiting(const std::function<void(const Ticket&, const Place&)>& look) const {
  for (const auto& [ns, space] : spaces_) {
    int exact = 0;
    for (const Order& order : space.order) {
      const Ticket& ticket = entries_.at(order.key).ticket;
      Place place = blockOf(space, ticket.queue);
      place.position = coarsePosition(++exact);
      look(ticket, place);
    }
  }
}

std::optional<TimePoint> FairQueue::oldest() const {
  return since_.empty() ? std::nullopt : std::optional<TimePoint>(*since_.begin());
}

}  // namespace stagewright::queue
