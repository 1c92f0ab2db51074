// What a reconcile wants next.
#pragma once

#include <optional>
#include <string>

#include "lib/base/clock.h"

namespace stagewright::op {

struct Outcome {
  enum class Kind {
    kDone,      ///< until something changes, or until `after`
    kLater,     ///< what is left has time: once more, after the keys that have not
    kWaiting,   ///< for the caches, `after`; neither success nor failure
    kAgain,     ///< the world moved under us: soon, with backoff; nobody's error
    kError,     ///< with backoff, logged and counted
    kTerminal,  ///< logged and counted, not tried again by itself
  };
  Kind kind = Kind::kDone;
  std::optional<Millis> after{};
  std::string message{};

  static Outcome done(std::optional<Millis> after = std::nullopt) {
    return {Kind::kDone, after, {}};
  }
  static Outcome later() { return {Kind::kLater, std::nullopt, {}}; }
  static Outcome waiting(Millis after) { return {Kind::kWaiting, after, {}}; }
  static Outcome again(std::string why, std::optional<Millis> atLeast = std::nullopt) {
    return {Kind::kAgain, atLeast, std::move(why)};
  }
  static Outcome error(std::string why, std::optional<Millis> atLeast = std::nullopt) {
    return {Kind::kError, atLeast, std::move(why)};
  }
  static Outcome terminal(std::string why) {
    return {Kind::kTerminal, std::nullopt, std::move(why)};
  }
};

}  // namespace stagewright::op
