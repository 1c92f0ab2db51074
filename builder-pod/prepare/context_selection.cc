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

std::optional<struct stat> statAt(int root, const std::string& path) {
  struct stat st {};
  if (::fstatat(root, path.empty() ? "." : path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return std::nullopt;
  }
  return st;
}

}  // namespace

/// `..` is resolved with the context as root. Without `use` every component is a plain name.
ContextSelection::Components ContextSelection::componentsOf(std::string_view path,
                                                            const plan::ContextUse* use) {
  Components parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (!part.empty() && part != "." && part != "..") {
      const bool isPattern =
          use != nullptr && use->wildcards && part.find_first_of("*?[\\") != std::string_view::npos;
      parts.push_back({std::string(part), isPattern, isPattern && use->doubleStar && part == "**"});
    }
  }
  return parts;
}

std::string ContextSelection::keyOf(const std::string& directory, const Components& rest) {
  std::string key = directory;
  for (const Component& component : rest) {
    key += '\0' + component.name + (component.pattern ? "*" : "=");
  }
  return key;
}

bool ContextSelection::add(int root, const plan::ContextUse& use) {
  answers_.clear();
  return match(root, "", componentsOf(use.path, &use), 0);
}

bool ContextSelection::match(int root, const std::string& directory, const Components& rest,
                             int links) {
  if (rest.empty() || rest.front().doubleStar) {
    paths_.insert(directory);
    return true;
  }
  const auto [it, isNew] = answers_.try_emplace(keyOf(directory, rest), false);
  if (isNew) {
    it->second = matchFirst(root, directory, rest, links);
  }
  return it->second;
}

bool ContextSelection::matchFirst(int root, const std::string& directory, Components rest,
                                  int links) {
  const Component first = rest.front();
  rest.erase(rest.begin());
  if (!first.pattern) {
    return matchName(root, directory, first.name, std::move(rest), links);
  }
  const auto entries = listDirectory(root, directory);
  bool found = false;
  for (const std::string& entry : entries.value_or(std::vector<std::string>())) {
    if (dockerfile::matchGlob(first.name, entry).value_or(false)) {
      found = matchName(root, directory, entry, rest, links) || found;
    }
  }
  return found;
}

bool ContextSelection::matchName(int root, const std::string& directory, const std::string& name,
                                 Components rest, int links) {
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
  return match(root, path, rest, links);
}

bool ContextSelection::follow(int root, const std::string& directory, const std::string& link,
                              Components rest, int links) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(root, link.c_str(), target, sizeof target);
  if (size <= 0 || links >= kMaxLinks) {
    return false;
  }
  const std::string text(target, static_cast<std::size_t>(size));
  Components parts = componentsOf(text.front() == '/' ? text : directory + "/" + text, nullptr);
  parts.insert(parts.end(), rest.begin(), rest.end());
  return match(root, "", parts, links + 1);
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
