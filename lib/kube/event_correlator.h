// Which events are worth a request: repeats become a series, floods are combined, the rest is
// dropped (controllers.md item 23). Events are hints and never state.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "lib/base/clock.h"

namespace stagewright::kube {

struct EventText {
  std::string type;  ///< Normal, Warning
  std::string reason;
  std::string note;
};

/// What to do with one event.
struct EventVerdict {
  enum class Kind { kCreate, kRepeat, kDrop };
  Kind kind = Kind::kDrop;
  std::string name;  ///< of the Event object
  std::string note;  ///< as it is to be written
  int count = 1;     ///< kRepeat: of the series
};

/// Not thread-safe. Remembers at most 4096 objects.
class EventCorrelator {
 public:
  /// `objectName` and `uid` of what the event is about.
  EventVerdict judge(const std::string& objectName, const std::string& uid, const EventText& text,
                     SteadyPoint now, TimePoint wall);

 private:
  static constexpr double kBurst = 25;
  static constexpr std::chrono::seconds kRefill{300};
  static constexpr std::chrono::seconds kSimilarWindow{600};
  static constexpr std::size_t kMaxSimilar = 10;
  static constexpr std::chrono::minutes kSeriesEnd{6};
  static constexpr std::size_t kMaxObjects = 4096;

  struct Series {
    std::string name;
    int count = 1;
    SteadyPoint last;
  };
  struct Similar {
    std::set<std::string> notes;
    SteadyPoint since;
  };
  struct Object {
    double tokens = kBurst;
    SteadyPoint last;
    std::map<std::pair<std::string, std::string>, Similar> similar;  ///< by type and reason
    std::map<std::tuple<std::string, std::string, std::string>, Series>
        series;  ///< by type, reason and note
  };

  Object& objectFor(const std::string& uid, SteadyPoint now);
  static std::string combined(Object& object, const EventText& text, SteadyPoint now);
  static void forgetOldSeries(Object& object, SteadyPoint now);

  std::map<std::string, Object> objects_;
  std::uint64_t sequence_ = 0;
};

}  // namespace stagewright::kube
