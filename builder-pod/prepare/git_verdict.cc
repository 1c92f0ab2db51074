#include "builder-pod/prepare/git_verdict.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace stagewright::prepare {

namespace {

using std::string_view_literals::operator""sv;

constexpr std::array kRevisionMissing = {"couldn't find remote ref"sv, "Couldn't find remote ref"sv,
                                         "no such remote ref"sv, "not our ref"sv,
                                         "unadvertised object"sv};
constexpr std::array kAuthFailed = {"Authentication failed"sv, "could not read Username"sv,
                                    "could not read Password"sv, "returned error: 401"sv,
                                    "returned error: 403"sv};
constexpr std::array kRedirected = {"returned error: 30"sv};
constexpr std::array kNotFound = {"not found"sv,           "is this a git repository"sv,
                                  "returned error: 404"sv, "returned error: 410"sv,
                                  "returned error: 400"sv, "not valid"sv};

template <std::size_t kCount>
bool saysAny(std::string_view text, const std::array<std::string_view, kCount>& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  });
}

/// What the user asked for, in words.
std::string describe(const plan::GitSource& source) {
  if (!source.branch.empty()) {
    return "branch " + quoted(source.branch);
  }
  if (!source.tag.empty()) {
    return "tag " + quoted(source.tag);
  }
  return source.commit.empty() ? "HEAD" : "commit " + quoted(source.commit);
}

std::string authHint(bool authenticated) {
  return authenticated ? "the credentials of spec.source.git.secretRef are refused"
                       : "it asks for credentials: name a Secret in spec.source.git.secretRef (if "
                         "it should be public, "
                         "check the address: many servers answer so for what does not exist)";
}

}  // namespace

std::string lastWords(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  const std::size_t newline = text.rfind('\n');
  std::string line(newline == std::string_view::npos ? text : text.substr(newline + 1));
  for (const std::string_view prefix : {"fatal: ", "error: "}) {
    if (line.starts_with(prefix)) {
      line.erase(0, prefix.size());
    }
  }
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return line.substr(0, 512);
}

bool isRevisionMissing(const ProgramEnd& end) { return saysAny(end.err, kRevisionMissing); }

Refusal refuseRevision(const plan::GitSource& source, std::string_view err) {
  const std::string cause = err.empty() ? "" : " (git: " + lastWords(err) + ")";
  if (!source.revision.empty()) {  // of ADD, in BuildKit's words
    return refuseInput("SourceRevisionNotFound", quoted(source.url) + ": repository does not contain ref " +
                                                     source.revision + cause);
  }
  return refuseInput("SourceRevisionNotFound",
                     quoted(source.url) + " has no " + describe(source) + cause);
}

Outcome<void> judgeFetch(const plan::GitSource& source, bool authenticated, const ProgramEnd& end) {
  if (end.exitCode == 0) {
    return {};
  }
  const std::string cause = " (git: " + lastWords(end.err) + ")";
  if (isRevisionMissing(end)) {
    return refuseRevision(source, "");
  }
  if (saysAny(end.err, kAuthFailed)) {
    return refuse(plan::Exit::kDenied, "SourceAuthFailed",
                  quoted(source.url) + ": " + authHint(authenticated) + cause);
  }
  if (saysAny(end.err, kRedirected)) {
    return refuseInput(
        "SourceNotFound",
        quoted(source.url) +
            " redirects to another address, and such a redirect is not followed (nor are "
            "credentials sent there): write the final address (many servers want it to end in "
            ".git)");
  }
  if (saysAny(end.err, kNotFound)) {
    return refuseInput("SourceNotFound",
                       "there is no git repository at " + quoted(source.url) + cause);
  }
  return refuse(plan::Exit::kUnavailable, "SourceUnavailable",
                "fetch " + quoted(source.url) + (end.timedOut ? ": it took too long" : cause));
}

}  // namespace stagewright::prepare
