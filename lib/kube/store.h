// What we know of one kind of object. Objects are kept as packed JSON text: a parsed tree takes
// thirty times as much, and a reconcile parses the few it needs in well under a millisecond.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/guarded.h"
#include "lib/base/json.h"
#include "lib/kube/packed_text.h"

namespace stagewright::kube {

/// `namespace/name`, or `name` of a cluster-wide object.
std::string keyOf(const Json& object);

/// Thread-safe. One writer of each key (an informer), any number of readers.
class Store {
 public:
  using IndexFunction = std::function<std::string(const Json&)>;
  /// `index` gives each object the name of the group it is listed under; empty: none.
  explicit Store(IndexFunction index = nullptr) : index_(std::move(index)) {}

  std::optional<Json> get(const std::string& key) const;
  /// The objects whose index is `group`, by key.
  std::vector<Json> inGroup(const std::string& group) const;
  /// Every object, by key. Costs a tree of all of them.
  std::vector<Json> all() const;
  std::vector<std::string> keys() const;
  std::size_t size() const;
  /// Version of the object with that key; empty if there is none.
  std::string versionOf(const std::string& key) const;

  void put(const Json& object);
  void erase(const std::string& key);

 private:
  // Two owners: the store, and a reader that parses outside the lock.
  using Text = std::shared_ptr<const PackedText>;
  struct Entry {
    Text text;
    std::string version;
    std::string group;
  };
  struct State {
    std::map<std::string, Entry> entries;
    std::map<std::string, std::set<std::string>> groups;
  };
  static void unindex(State& state, const std::string& key, const std::string& group);

  IndexFunction index_;
  mutable Guarded<State> state_;
};

}  // namespace stagewright::kube
