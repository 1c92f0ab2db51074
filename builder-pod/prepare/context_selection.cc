#include "builder-pod/prepare/context_selection.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <optional>

#include "builder-pod/prepare/directory.h"
#include "lib/dockerfile/ignore.h"

namespace stagewright::prepare {

namespace {

constexpr int kMaxLinks = 40;  // as the kernel's

/// Components of a path, `..` resolved with the context as root.
std::vector<std::string> componentsOf(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (!part.empty() && part != "." && part != "..") {
      parts.emplace_back(part);
    }
  }
  return parts;
}

bool hasWildcard(std::string_view name) {
  return name.find_first_of("*?[\\") != std::string_view::npos;
}

std::optional<struct stat> statAt(int root, const std::string& path) {
  struct stat st {};
  if (::fstatat(root, path.empty() ? "." : path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return std::nullopt;
  }
  return st;
}

}  // namespace

bool ContextSelection::add(int root, const std::string& pattern) {
  return match(root, "", componentsOf(pattern), 0);
}

bool ContextSelection::match(int root, const std::string& directory, std::vector<std::string> rest,
                             int links) {
  if (rest.empty() || rest.front() == "**") {
    paths_.insert(directory);
    return true;
  }
  const std::string name = rest.front();
  rest.erase(rest.begin());
  if (!hasWildcard(name)) {
    return matchName(root, directory, name, std::move(rest), links);
  }
  bool found = false;
  const auto entries = listDirectory(root, directory);
  if (!entries) {
    return false;
  }
  for (const std::string& entry : *entries) {
    if (dockerfile::matchGlob(name, entry).value_or(false)) {
      found = matchName(root, directory, entry, rest, links) || found;
    }
  }
  return found;
}

bool ContextSelection::matchName(int root, const std::string& directory, const std::string& name,
                                 std::vector<std::string> rest, int links) {
  const std::string path = joinPath(directory, name);
  const auto st = statAt(root, path);
  if (!st) {
    return false;
  }
  if (S_ISLNK(st->st_mode)) {
    paths_.insert(path);
    return follow(root, directory, path, std::move(rest), links);
  }
  if (!rest.empty() && !S_ISDIR(st->st_mode)) {
    return false;
  }
  return match(root, path, std::move(rest), links);
}

bool ContextSelection::follow(int root, const std::string& directory, const std::string& link,
                              std::vector<std::string> rest, int links) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(root, link.c_str(), target, sizeof target);
  if (size <= 0 || links >= kMaxLinks) {
    return false;
  }
  const std::string_view text(target, static_cast<std::size_t>(size));
  std::vector<std::string> parts =
      componentsOf(text.front() == '/' ? std::string(text) : directory + "/" + std::string(text));
  // The parts are names, not patterns; a name with a wildcard in it then selects a little too much.
  parts.insert(parts.end(), rest.begin(), rest.end());
  return match(root, "", std::move(parts), links + 1);
}

bool ContextSelection::covers(const std::string& path) const {
  if (paths_.contains("") || paths_.contains(path)) {
    return true;
  }
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    if (paths_.contains(path.substr(0, slash))) {
      return true;
    }
  }
  return false;
}

bool ContextSelection::hasBelow(const std::string& path) const {
  if (path.empty()) {
    return !paths_.empty();
  }
  const std::string prefix = path + "/";
  const auto it = paths_.lower_bound(prefix);
  return it != paths_.end() && it->starts_with(prefix);
}

}  // namespace stagewright::prepare
