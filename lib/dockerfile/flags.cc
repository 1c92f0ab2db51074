#include "lib/dockerfile/flags.h"

#include <algorithm>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

const FlagRule* findRule(const std::vector<FlagRule>& known, std::string_view name) {
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&](const FlagRule& rule) { return rule.name == name; });
  return found == known.end() ? nullptr : &*found;
}

std::vector<std::string> namesOf(const std::vector<FlagRule>& known) {
  std::vector<std::string> names;
  for (const FlagRule& rule : known) {
    names.emplace_back(rule.name);
  }
  return names;
}

/// The value that is stored: `true` for a boolean flag without one.
Parsed<std::string> readValue(const FlagRule& rule, const std::string& flag, std::size_t equals) {
  const std::string shownName = "--" + std::string(rule.name);
  const bool hasValue = equals != std::string::npos;
  std::string value = hasValue ? flag.substr(equals + 1) : std::string();
  if (rule.kind != FlagKind::kBool) {
    return hasValue ? Parsed<std::string>(std::move(value))
                    : mistake("missing a value on flag: " + shownName, flag);
  }
  if (!hasValue) {
    return "true";
  }
  if (value.empty()) {
    return mistake("missing a value on flag: " + shownName, flag);
  }
  const std::string folded = lower(value);
  if (folded != "true" && folded != "false") {
    return mistake("expecting boolean value for flag " + shownName + ", not: " + value, flag);
  }
  return folded;
}

}  // namespace

bool FlagValues::has(std::string_view name) const {
  return std::any_of(given_.begin(), given_.end(),
                     [&](const Given& given) { return given.name == name; });
}

std::string FlagValues::text(std::string_view name) const {
  const std::vector<std::string> values = list(name);
  return values.empty() ? std::string() : values.back();
}

std::optional<bool> FlagValues::boolean(std::string_view name) const {
  return has(name) ? std::optional<bool>(text(name) == "true") : std::nullopt;
}

std::vector<std::string> FlagValues::list(std::string_view name) const {
  std::vector<std::string> values;
  for (const Given& given : given_) {
    if (given.name == name) {
      values.push_back(given.value);
    }
  }
  return values;
}

std::vector<std::string> FlagValues::names() const {
  std::vector<std::string> out;
  for (const Given& given : given_) {
    if (std::find(out.begin(), out.end(), given.name) == out.end()) {
      out.push_back(given.name);
    }
  }
  return out;
}

Parsed<FlagValues> readFlags(const std::vector<std::string>& flags,
                             const std::vector<FlagRule>& known) {
  FlagValues out;
  for (const std::string& flag : flags) {
    const std::size_t equals = flag.find('=');
    const std::string name = flag.substr(2, equals == std::string::npos ? equals : equals - 2);
    const FlagRule* rule = findRule(known, name);
    if (rule == nullptr) {
      return mistake(withSuggestion("unknown flag: --" + name, name, namesOf(known), false),
                     "--" + name);
    }
    if (rule->kind != FlagKind::kList && out.has(name)) {
      return mistake("duplicate flag specified: --" + name, flag);
    }
    Parsed<std::string> value = readValue(*rule, flag, equals);
    if (!value) {
      return tl::unexpected<Mistake>(value.error());
    }
    out.given_.push_back({name, std::move(*value)});
  }
  return out;
}

}  // namespace stagewright::dockerfile
