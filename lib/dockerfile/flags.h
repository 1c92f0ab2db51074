// Flags of one instruction against those it knows (§2.7).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dockerfile/mistake.h"

namespace stagewright::dockerfile {

enum class FlagKind { kBool, kText, kList };

struct FlagRule {
  std::string_view name;
  FlagKind kind;
};

/// The flags that were given, by name.
class FlagValues {
 public:
  bool has(std::string_view name) const;
  /// Value of a text flag, empty if it was not given.
  std::string text(std::string_view name) const;
  std::optional<bool> boolean(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  std::vector<std::string> names() const;

 private:
  friend Parsed<FlagValues> readFlags(const std::vector<std::string>& flags,
                                      const std::vector<FlagRule>& known);
  struct Given {
    std::string name;
    std::string value;
  };
  std::vector<Given> given_;
};

Parsed<FlagValues> readFlags(const std::vector<std::string>& flags,
                             const std::vector<FlagRule>& known);

}  // namespace stagewright::dockerfile
