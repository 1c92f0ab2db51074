#include "lib/plan/remote_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "lib/base/hash.h"
#include "lib/dockerfile/values.h"
#include "lib/plan/json_parts.h"

namespace stagewright::plan {

namespace {

constexpr std::string_view kUnnamed = "__unnamed__";
constexpr std::string_view kTagPrefix = "refs/tags/";
constexpr std::string_view kBranchPrefix = "refs/heads/";

bool startsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// `scheme` in lower case if the text begins with `scheme://`.
std::string schemeOf(std::string_view text) {
  const std::size_t at = text.find("://");
  if (at == std::string_view::npos || at == 0) {
    return "";
  }
  std::string out(text.substr(0, at));
  for (char& c : out) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) {
      return "";
    }
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

/// user@host:path, as ssh and scp take it.
bool isScpStyle(std::string_view text) {
  const auto isName = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  };
  const auto isHost = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
  };
  const std::size_t at = text.find('@');
  const std::size_t colon = at == std::string_view::npos ? at : text.find(':', at);
  if (colon == std::string_view::npos || at == 0 || colon == at + 1) {
    return false;
  }
  const std::string_view user = text.substr(0, at);
  const std::string_view host = text.substr(at + 1, colon - at - 1);
  return std::all_of(user.begin(), user.end(), isName) &&
         std::all_of(host.begin(), host.end(), isHost);
}

/// A text split at its fragment and query.
struct Parts {
  std::string_view base;
  std::string_view query;
  std::string_view fragment;
};

Parts split(std::string_view text) {
  Parts out;
  const std::size_t hash = text.find('#');
  out.fragment = hash == std::string_view::npos ? std::string_view() : text.substr(hash + 1);
  out.base = text.substr(0, hash);
  const std::size_t mark = out.base.find('?');
  out.query = mark == std::string_view::npos ? std::string_view() : out.base.substr(mark + 1);
  out.base = out.base.substr(0, mark);
  return out;
}

/// Percent-decoding; nothing for a malformed escape. In a query `+` is a blank.
std::optional<std::string> decoded(std::string_view text, bool inQuery) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      auto byte = i + 2 < text.size() ? fromHex(text.substr(i + 1, 2))
                                      : Result<std::string>(invalid("short"));
      if (!byte) {
        return std::nullopt;
      }
      out += *byte;
      i += 2;
    } else {
      out += inQuery && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string quotedText(const std::string& text) { return dockerfile::goQuoted(text); }

Result<std::map<std::string, std::string>> parseQuery(std::string_view query) {
  std::map<std::string, std::string> out;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view field = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (field.empty()) {
      continue;
    }
    const std::size_t equal = std::min(field.find('='), field.size());
    const auto key = decoded(field.substr(0, equal), true);
    const auto value = decoded(field.substr(std::min(equal + 1, field.size())), true);
    if (!key || !value) {
      return invalid("invalid URL escape in " + quoted(field, 128));
    }
    if (!out.emplace(*key, *value).second) {
      return invalid("query " + quotedText(*key) + " has multiple values");
    }
  }
  return out;
}

/// strconv.ParseBool; an absent value means true.
Result<bool> parseSwitch(const std::string& key, const std::string& value) {
  constexpr std::array<std::string_view, 7> kTrue = {"", "1", "t", "T", "TRUE", "true", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "FALSE", "false", "False"};
  if (std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end()) {
    return true;
  }
  if (std::find(kFalse.begin(), kFalse.end(), value) != kFalse.end()) {
    return false;
  }
  return invalid("invalid " + key + " value: " + quotedText(value));
}

Status setOnce(std::string& field, const std::string& value, std::string_view what) {
  if (!field.empty() && field != value) {
    return invalid(std::string(what) + " conflicts: " + quotedText(field) + " vs " +
                   quotedText(value));
  }
  field = value;
  return ok();
}

std::string prefixed(std::string_view prefix, const std::string& name) {
  return startsWith(name, prefix) ? name : std::string(prefix) + name;
}

/// `fetch-by-commit` says how to fetch, which prepare decides for itself; its value is checked.
Status readOption(const std::string& key, const std::string& value, GitRef& out) {
  if (key == "keep-git-dir") {
    TRY(out.keepGitDir, parseSwitch(key, value));
  } else if (key == "submodules") {
    TRY(out.submodules, parseSwitch(key, value));
  } else if (key == "fetch-by-commit") {
    CHECK_OK(parseSwitch(key, value));
  } else if (key == "mtime") {
    if (value != "checkout" && value != "commit") {
      return invalid("invalid mtime value: " + quotedText(value) + " (must be \"checkout\" or \"commit\")");
    }
    out.commitTime = value == "commit";
  } else if (value.empty()) {
    return invalid("query " + quotedText(key) + " has no value");
  } else if (key == "ref") {
    CHECK_OK(setOnce(out.ref, value, "ref"));
  } else if (key == "subdir") {
    CHECK_OK(setOnce(out.subdir, value, "subdir"));
  } else if (key == "checksum" || key == "commit") {
    out.checksum = value;
  } else if (key != "tag" && key != "branch") {
    return invalid("unexpected query " + quotedText(key));
  }
  return ok();
}

Status readQuery(std::string_view text, GitRef& out) {
  TRY(const auto query, parseQuery(text));
  for (const auto& [key, value] : query) {
    CHECK_OK(readOption(key, value, out));
  }
  const auto tag = query.find("tag");
  const auto branch = query.find("branch");
  if (tag != query.end() && branch != query.end()) {
    return invalid("branch conflicts with tag");
  }
  if (tag != query.end()) {
    CHECK_OK(setOnce(out.ref, prefixed(kTagPrefix, tag->second), "ref"));
  }
  if (branch != query.end()) {
    CHECK_OK(setOnce(out.ref, prefixed(kBranchPrefix, branch->second), "ref"));
  }
  if (out.ref.empty()) {
    out.ref = out.checksum;
  }
  return ok();
}

/// Whether the part before query and fragment names a repository.
bool isGitBase(std::string_view base) {
  const std::string scheme = schemeOf(base);
  if (scheme == "git" || scheme == "ssh") {
    return true;
  }
  if (scheme == "http" || scheme == "https") {
    return base.ends_with(".git");
  }
  return scheme.empty() && isScpStyle(base);
}

}  // namespace

Result<std::optional<GitRef>> parseGitRef(std::string_view text) {
  if (startsWith(text, "./") || startsWith(text, "../")) {
    return std::optional<GitRef>();
  }
  const Parts parts = split(text);
  if (!isGitBase(parts.base)) {
    return std::optional<GitRef>();
  }
  GitRef out;
  out.remote = std::string(parts.base);
  const std::size_t colon = parts.fragment.find(':');
  out.ref = std::string(parts.fragment.substr(0, colon));
  out.subdir = colon == std::string_view::npos ? "" : std::string(parts.fragment.substr(colon + 1));
  CHECK_OK(readQuery(parts.query, out));
  return std::optional<GitRef>(std::move(out));
}

bool isUrl(std::string_view text) {
  if (!startsWith(text, "http://") && !startsWith(text, "https://")) {
    return false;
  }
  return !isGitBase(split(text).base);
}

std::string fileNameOfUrl(std::string_view url) {
  std::string_view base = split(url).base;
  base.remove_prefix(std::min(base.find("://") + 3, base.size()));
  const std::size_t slash = base.find('/');
  const auto path =
      slash == std::string_view::npos ? std::nullopt : decoded(base.substr(slash), false);
  if (!path) {
    return std::string(kUnnamed);
  }
  std::string name = *path;
  while (!name.empty() && name.back() == '/') {
    name.pop_back();
  }
  name.erase(0, name.rfind('/') + 1);
  // `..` and NUL would be names that no file can have.
  return name != "." && isCleanRelative(name) ? name : std::string(kUnnamed);
}

}  // namespace stagewright::plan
