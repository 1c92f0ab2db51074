#include "lib/dockerfile/environment.h"

namespace stagewright::dockerfile {

EnvironmentList::EnvironmentList(const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    const std::size_t at = assignment.find('=');
    set(assignment.substr(0, at),
        at == std::string::npos ? std::string() : assignment.substr(at + 1));
  }
}

void EnvironmentList::set(std::string_view name, std::string_view value) {
  const auto [at, isNew] = index_.try_emplace(std::string(name), entries_.size());
  if (isNew) {
    entries_.emplace_back(name, value);
  } else {
    entries_[at->second].second = value;
  }
}

void EnvironmentList::unset(std::string_view name) {
  const auto found = index_.find(std::string(name));
  if (found == index_.end()) {
    return;
  }
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(found->second));
  index_.clear();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    index_.emplace(entries_[i].first, i);
  }
}

std::optional<std::string_view> EnvironmentList::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  if (found == index_.end()) {
    return std::nullopt;
  }
  return std::string_view(entries_[found->second].second);
}

std::vector<std::string> EnvironmentList::names() const {
  std::vector<std::string> out;
  for (const auto& entry : entries_) {
    out.push_back(entry.first);
  }
  return out;
}

std::vector<std::string> EnvironmentList::assignments() const {
  std::vector<std::string> out;
  for (const auto& [name, value] : entries_) {
    out.push_back(name + "=" + value);
  }
  return out;
}

}  // namespace stagewright::dockerfile
