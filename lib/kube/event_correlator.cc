#include "lib/kube/event_correlator.h"

#include <algorithm>
#include <cstdio>

namespace stagewright::kube {

EventVerdict EventCorrelator::judge(const std::string& objectName, const std::string& uid,
                                    const EventText& text, SteadyPoint now, TimePoint wall) {
  Object& object = objectFor(uid, now);
  if (object.tokens < 1) {
    return {};
  }
  object.tokens -= 1;
  forgetOldSeries(object, now);
  const std::string note = combined(object, text, now);
  const auto [it, isNew] = object.series.try_emplace({text.type, text.reason, note});
  Series& series = it->second;
  series.last = now;
  if (!isNew) {
    return {EventVerdict::Kind::kRepeat, series.name, note, ++series.count};
  }
  char suffix[40];
  const auto stamp =
      static_cast<std::uint64_t>(wall.time_since_epoch() / std::chrono::microseconds(1));
  std::snprintf(suffix, sizeof suffix, ".%llx%llx", static_cast<unsigned long long>(stamp),
                static_cast<unsigned long long>(++sequence_ & 0xfff));
  series.name = objectName + suffix;
  return {EventVerdict::Kind::kCreate, series.name, note, 1};
}

/// The object's memory with its bucket refilled up to now. The one that was quiet the longest makes
/// room.
EventCorrelator::Object& EventCorrelator::objectFor(const std::string& uid, SteadyPoint now) {
  const auto found = objects_.find(uid);
  if (found == objects_.end()) {
    if (objects_.size() >= kMaxObjects) {
      objects_.erase(std::min_element(
          objects_.begin(), objects_.end(),
          [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
    }
    Object& object = objects_[uid];
    object.last = now;
    return object;
  }
  Object& object = found->second;
  object.tokens =
      std::min(kBurst, object.tokens + std::chrono::duration<double>(now - object.last) / kRefill);
  object.last = now;
  return object;
}

/// The note, or one for all once too many different ones of the same reason came in a short time.
std::string EventCorrelator::combined(Object& object, const EventText& text, SteadyPoint now) {
  Similar& similar = object.similar[{text.type, text.reason}];
  if (now - similar.since > kSimilarWindow) {
    similar = Similar{{}, now};
  }
  if (similar.notes.size() < kMaxSimilar) {
    similar.notes.insert(text.note);
  }
  return similar.notes.contains(text.note) ? text.note : "(combined from similar events)";
}

void EventCorrelator::forgetOldSeries(Object& object, SteadyPoint now) {
  std::erase_if(object.series,
                [&](const auto& entry) { return now - entry.second.last > kSeriesEnd; });
}

}  // namespace stagewright::kube
