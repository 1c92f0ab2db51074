// Who runs next when not every build may run at once.
//
// The namespace with the fewest running builds goes first; among equals, the one whose last turn is
// the longest ago. So ten thousand builds of one team delay another team's single build by one
// admission at most. Within a namespace: higher priority first, then first come, first served.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/clock.h"

namespace stagewright::queue {

/// Running builds at the same time; 0: no limit.
struct Limits {
  int running = 0;
  int perNamespace = 0;
};

/// What holds for one namespace.
struct NamespaceRules {
  int running = 0;                    ///< 0: Limits::perNamespace
  std::map<std::string, int> queues;  ///< running builds of a queue, by its name
  std::string heldBy;                 ///< a sentence; not empty: nobody is admitted
  bool operator==(const NamespaceRules&) const = default;
};

/// One run that wants to be admitted.
struct Ticket {
  std::string key;  ///< namespace/name
  std::string ns;
  std::string queue;  ///< may be empty
  std::int64_t priority = 0;
  TimePoint since{};
};

/// Why a ticket waits.
enum class Block {
  kTurn,            ///< all places are taken
  kNamespaceLimit,  ///< all places of its namespace are taken
  kQueueLimit,      ///< all places of its queue are taken
  kHeld,            ///< NamespaceRules::heldBy
};

struct Place {
  int position = 0;  ///< see coarsePosition
  Block block = Block::kTurn;
  int limit = 0;  ///< the one that is reached
  std::string heldBy;
};

/// 1 to 5 exactly, then rounded up to 10, 100 and 1000; 1001 means more than 1000. An admission
/// moves every ticket of a namespace by one, but only eight of them over such a boundary: that is
/// what makes a position in the status of ten thousand builds affordable.
int coarsePosition(int exact);

/// For a condition: why it waits, and its position. Holds no number that changes with every
/// admission.
std::string sentence(const Place& place, const Ticket& ticket);

/// Pure and deterministic: the same calls give the same order. Not thread-safe.
class FairQueue {
 public:
  explicit FairQueue(Limits limits) : limits_(limits) {}

  void setRules(const std::string& ns, NamespaceRules rules);
  bool knows(const std::string& ns) const { return spaces_.contains(ns); }
  std::vector<std::string> namespaces() const;

  /// `ticket.key` waits, whatever it did before.
  void wait(const Ticket& ticket);
  /// `ticket.key` runs, whether or not that keeps within the limits.
  void run(const Ticket& ticket);
  void leave(const std::string& key);
  /// A run of the namespace was admitted at that time.
  void noteTurn(const std::string& ns, TimePoint admitted);

  /// Lets the next ticket run, if one may; gives its key.
  std::optional<std::string> admitNext(TimePoint now);

  bool isWaiting(const std::string& key) const;
  bool isRunning(const std::string& key) const;
  /// Nothing unless it waits. Looks at a thousand tickets at most.
  std::optional<Place> placeOf(const std::string& key) const;
  /// Every ticket that waits, namespace by namespace in the namespace's order.
  void eachWaiting(const std::function<void(const Ticket&, const Place&)>& look) const;

  std::size_t waiting() const { return waiting_; }
  std::size_t running() const { return entries_.size() - waiting_; }
  /// When the ticket came that waits the longest.
  std::optional<TimePoint> oldest() const;

 private:
  struct Entry {
    Ticket ticket;
    bool running = false;
  };
  struct Order {
    std::int64_t priority;
    TimePoint since;
    std::string key;
    bool operator<(const Order& other) const {
      return priority != other.priority ? priority > other.priority
             : since != other.since     ? since < other.since
                                        : key < other.key;
    }
  };
  struct Space {
    std::set<Order> order;                          ///< of everything that waits
    std::map<std::string, std::set<Order>> queues;  ///< the same by queue
    std::map<std::string, int> runningIn;           ///< by queue
    int running = 0;
    std::optional<TimePoint> lastTurn;
    NamespaceRules rules;
  };

  static Order orderOf(const Ticket& ticket) { return {ticket.priority, ticket.since, ticket.key}; }
  int limitOf(const Space& space) const {
    return space.rules.running > 0 ? space.rules.running : limits_.perNamespace;
  }
  const Order* candidate(const Space& space) const;
  static bool comesBefore(const Space& a, const Space& b);
  Place blockOf(const Space& space, const std::string& queue) const;

  Limits limits_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, Space> spaces_;
  std::multiset<TimePoint> since_;  ///< of everything that waits
  std::size_t waiting_ = 0;
};

}  // namespace stagewright::queue
