// An ordered set of variables, as an image's Env is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace stagewright::dockerfile {

/// What expansion reads. Names are case-sensitive.
class Environment {
 public:
  virtual ~Environment() = default;
  /// The value, nothing if unset. The view is valid until the environment changes.
  virtual std::optional<std::string_view> find(std::string_view name) const = 0;
  /// All names in order, for suggestions.
  virtual std::vector<std::string> names() const = 0;
};

/// Keeps the order of first assignment; a known name is replaced in its place (§5.6).
class EnvironmentList final : public Environment {
 public:
  EnvironmentList() = default;
  /// From `K=V` texts; one without `=` is a name with an empty value.
  explicit EnvironmentList(const std::vector<std::string>& assignments);

  void set(std::string_view name, std::string_view value);
  void unset(std::string_view name);
  std::optional<std::string_view> find(std::string_view name) const override;
  std::vector<std::string> names() const override;
  /// As `K=V`, in order.
  std::vector<std::string> assignments() const;
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace stagewright::dockerfile
