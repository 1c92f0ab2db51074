#include "builder-pod/stage/accounts.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>
#include <optional>

namespace stagewright::stage {

namespace {

constexpr std::size_t kMaxFile = 10 * 1024 * 1024;
constexpr std::int64_t kMaxId = 0x7fffffff;

struct User {
  std::string_view name;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::string_view home;
};

struct Group {
  std::string_view name;
  std::int64_t gid = 0;
  std::vector<std::string_view> members;
};

/// A number as Go's strconv.Atoi takes it.
std::optional<std::int64_t> numberOf(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) {
      return std::nullopt;
    }
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\v\f");
  return begin == std::string_view::npos
             ? std::string_view()
             : text.substr(begin, text.find_last_not_of(" \t\r\v\f") - begin + 1);
}

/// Calls `visit` with the fields of each line, at least `count` of them; stops when it returns
/// true.
void eachLine(std::string_view text, std::size_t count,
              const std::function<bool(const std::vector<std::string_view>&)>& visit) {
  for (const std::string_view raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    if (line.empty()) {
      continue;
    }
    std::vector<std::string_view> fields = split(line, ':');
    fields.resize(std::max(fields.size(), count));
    if (visit(fields)) {
      return;
    }
  }
}

std::optional<User> findUser(std::string_view passwd,
                             const std::function<bool(const User&)>& wanted) {
  std::optional<User> found;
  eachLine(passwd, 7, [&](const auto& f) {
    const User user{f[0], numberOf(f[2]).value_or(0), numberOf(f[3]).value_or(0), f[5]};
    if (wanted(user)) {
      found = user;
    }
    return found.has_value();
  });
  return found;
}

std::vector<Group> findGroups(std::string_view text,
                              const std::function<bool(const Group&)>& wanted) {
  std::vector<Group> found;
  eachLine(text, 4, [&](const auto& f) {
    const Group group{f[0], numberOf(f[2]).value_or(0), split(f[3], ',')};
    if (wanted(group)) {
      found.push_back(group);
    }
    return false;
  });
  return found;
}

bool inRange(std::int64_t id) { return id >= 0 && id <= kMaxId; }

Error outOfRange() { return invalid("uids and gids must be in range 0-2147483647"); }

Status findPrimary(std::string_view userText, const Accounts& accounts, Identity& who,
                   std::string& name) {
  const auto number = numberOf(userText);
  const auto user = findUser(accounts.passwd, [&](const User& u) {
    return userText.empty() ? u.uid == 0 : number ? u.uid == *number : u.name == userText;
  });
  if (user) {
    if (!inRange(user->uid) || !inRange(user->gid)) {
      return outOfRange();
    }
    who.uid = static_cast<std::uint32_t>(user->uid);
    who.gid = static_cast<std::uint32_t>(user->gid);
    name = user->name;
    return ok();
  }
  if (userText.empty()) {
    return ok();
  }
  if (!number) {
    return invalid("unable to find user " + std::string(userText) +
                   ": no matching entries in passwd file");
  }
  if (!inRange(*number)) {
    return outOfRange();
  }
  who.uid = static_cast<std::uint32_t>(*number);
  return ok();
}

Status findExplicitGroup(std::string_view groupText, const Accounts& accounts, Identity& who) {
  const auto number = numberOf(groupText);
  const auto groups = findGroups(accounts.group, [&](const Group& g) {
    return number ? g.gid == *number : g.name == groupText;
  });
  if (groups.empty() && !number) {
    return invalid("unable to find group " + std::string(groupText) +
                   ": no matching entries in group file");
  }
  const std::int64_t gid = groups.empty() ? *number : groups.front().gid;
  if (!inRange(gid)) {
    return outOfRange();
  }
  who.gid = static_cast<std::uint32_t>(gid);
  return ok();
}

void addMemberships(const std::string& name, const Accounts& accounts, Identity& who) {
  const auto groups = findGroups(accounts.group, [&](const Group& g) {
    return std::find(g.members.begin(), g.members.end(), name) != g.members.end();
  });
  for (const Group& g : groups) {
    if (inRange(g.gid)) {
      who.groups.push_back(static_cast<std::uint32_t>(g.gid));
    }
  }
}

/// "root" counts as the number 0 even without a passwd file.
std::optional<std::int64_t> directId(std::string_view text) {
  return text == "root" ? std::optional<std::int64_t>(0) : numberOf(text);
}

/// For --chown: a number that no account can have counts as a name, which nobody has.
std::optional<std::int64_t> ownerId(std::string_view text) {
  const auto id = directId(text);
  return id && inRange(*id) ? id : std::nullopt;
}

std::string homeOf(std::uint32_t uid, const Accounts& accounts) {
  const auto user =
      findUser(accounts.passwd, [&](const User& u) { return u.uid == std::int64_t{uid}; });
  return user && !user->home.empty() ? std::string(user->home) : "/";
}

Result<std::string> loadAccountFile(layer::Tree& tree, const std::string& path, bool& found) {
  TRY(const std::string resolved, tree.resolve(path));
  const auto st = tree.stat(resolved);
  if (!st || !st->isFile()) {
    return std::string();
  }
  found = true;
  if (st->size > static_cast<std::int64_t>(kMaxFile)) {
    return invalid("\"" + path + "\" exceeds 10485760 bytes");
  }
  TRY(const Fd fd, tree.openFile(resolved));
  std::string text(static_cast<std::size_t>(st->size), '\0');
  const ssize_t n = ::pread(fd.get(), text.data(), text.size(), 0);
  if (n < 0) {
    return systemError("read", path, errno);
  }
  text.resize(static_cast<std::size_t>(n));
  return text;
}

}  // namespace

Result<Accounts> loadAccounts(layer::Tree& tree) {
  Accounts accounts;
  bool ignored = false;
  TRY(accounts.passwd, loadAccountFile(tree, "/etc/passwd", accounts.hasPasswd));
  TRY(accounts.group, loadAccountFile(tree, "/etc/group", ignored));
  return accounts;
}

Result<Identity> resolveUser(std::string_view user, const Accounts& accounts) {
  Identity who;
  const bool isDefault = user.empty();
  const std::string_view spec = isDefault ? "0" : user;
  const std::size_t colon = spec.find(':');
  const std::string_view userText = spec.substr(0, colon);
  const std::string_view groupText =
      colon == std::string_view::npos ? std::string_view() : spec.substr(colon + 1);
  const auto directUser = directId(userText);
  const auto directGroup = directId(groupText);
  if (colon != std::string_view::npos && directUser && directGroup) {
    if (!inRange(*directUser) || !inRange(*directGroup)) {
      return outOfRange();
    }
    who.uid = static_cast<std::uint32_t>(*directUser);
    who.gid = static_cast<std::uint32_t>(*directGroup);
  } else {
    std::string name;
    CHECK_OK(findPrimary(userText, accounts, who, name));
    if (!groupText.empty()) {
      CHECK_OK(findExplicitGroup(groupText, accounts, who));
    } else if (!name.empty()) {
      addMemberships(name, accounts, who);
    }
  }
  // The runtime puts the primary group into the supplementary ones too.
  if (std::find(who.groups.begin(), who.groups.end(), who.gid) == who.groups.end()) {
    who.groups.insert(who.groups.begin(), who.gid);
  }
  who.home = homeOf(who.uid, accounts);
  return who;
}

Owner resolveOwner(std::string_view text, const Accounts& accounts) {
  Owner owner;
  const std::size_t colon = text.find(':');
  const std::string_view userText = text.substr(0, colon);
  if (const auto id = ownerId(userText)) {
    owner.uid = static_cast<std::uint32_t>(*id);
    owner.gid = owner.uid;
  } else if (!userText.empty()) {
    const auto user = findUser(accounts.passwd, [&](const User& u) { return u.name == userText; });
    owner.uid = user ? static_cast<std::uint32_t>(user->uid) : 0;
    owner.gid = user ? static_cast<std::uint32_t>(user->gid) : 0;
  }
  const std::string_view groupText =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (groupText.empty()) {
    return owner;
  }
  if (const auto id = ownerId(groupText)) {
    owner.gid = static_cast<std::uint32_t>(*id);
  } else {
    const auto groups =
        findGroups(accounts.group, [&](const Group& g) { return g.name == groupText; });
    owner.gid = groups.empty() ? owner.gid : static_cast<std::uint32_t>(groups.front().gid);
  }
  return owner;
}

}  // namespace stagewright::stage
