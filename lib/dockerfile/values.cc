#include "lib/dockerfile/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "lib/dockerfile/go_format.h"
#include "lib/dockerfile/ports.h"
#include "lib/dockerfile/shell_lexer.h"
#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

constexpr std::int64_t kMaxPort = 65535;

struct PortRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

std::optional<std::int64_t> readPort(std::string_view text) {
  const Result<std::int64_t> port = parseGoInt(text, 64);
  return port && *port >= 0 && *port <= kMaxPort ? std::optional<std::int64_t>(*port)
                                                 : std::nullopt;
}

std::optional<PortRange> readRange(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::optional<std::int64_t> first = readPort(text.substr(0, dash));
  const std::optional<std::int64_t> last =
      dash == std::string_view::npos ? first : readPort(text.substr(dash + 1));
  if (!first || !last || *last < *first) {
    return std::nullopt;
  }
  return PortRange{*first, *last};
}

bool isIpAddress(std::string ip) {
  if (ip.size() > 2 && ip.front() == '[' && ip.back() == ']') {
    ip = ip.substr(1, ip.size() - 2);
  }
  std::array<unsigned char, sizeof(in6_addr)> address;
  return inet_pton(AF_INET, ip.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, ip.c_str(), address.data()) == 1;
}

Status checkHost(const PortWord& word, const PortRange& container) {
  if (!word.ip.empty() && !isIpAddress(word.ip)) {
    return invalid("invalid IP address: " + word.ip);
  }
  if (word.hostPort.empty()) {
    return ok();
  }
  const std::optional<PortRange> host = readRange(word.hostPort);
  if (!host) {
    return invalid("invalid hostPort: " + word.hostPort);
  }
  if (host->last - host->first != container.last - container.first &&
      container.first != container.last) {
    return invalid("invalid ranges specified for container and host Ports: " + word.containerPort +
                   " and " + word.hostPort);
  }
  return ok();
}

Status appendPorts(const std::string& text, std::vector<std::string>& ports) {
  const PortWord word = splitPortWord(text);
  if (word.containerPort.empty()) {
    return invalid("invalid port: " + goQuoted(text) + ": no port specified");
  }
  const std::string protocol = word.protocol.empty() ? "tcp" : lower(word.protocol);
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return invalid("invalid port: " + goQuoted(text) + ": invalid proto: " + word.protocol);
  }
  if (!word.ip.empty() && !isIpAddress(word.ip)) {
    return invalid("invalid IP address: " + word.ip);
  }
  const std::optional<PortRange> range = readRange(word.containerPort);
  if (!range) {
    return invalid("invalid containerPort: " + word.containerPort);
  }
  CHECK_OK(checkHost(word, *range));
  for (std::int64_t port = range->first; port <= range->last; ++port) {
    ports.push_back(std::to_string(port) + "/" + protocol);
  }
  return ok();
}

bool isSignalName(std::string_view name) {
  static constexpr std::array<std::string_view, 38> kNames = {
      "ABRT",   "ALRM",  "BUS",  "CHLD", "CLD",   "CONT",  "FPE",    "HUP",  "ILL",  "INT",
      "IO",     "IOT",   "KILL", "PIPE", "POLL",  "PROF",  "PWR",    "QUIT", "SEGV", "STKFLT",
      "STOP",   "SYS",   "TERM", "TRAP", "TSTP",  "TTIN",  "TTOU",   "URG",  "USR1", "USR2",
      "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX", "UNUSED", "EMT"};
  const auto realTime = [&](std::string_view prefix, std::uint32_t limit) {
    if (name.substr(0, prefix.size()) != prefix) {
      return false;
    }
    const std::string_view digits = name.substr(prefix.size());
    const std::optional<std::uint32_t> number = parseGoUint32(digits, 10);
    return number && *number >= 1 && *number <= limit && digits.front() != '0';
  };
  // RTMIN is 34 and RTMAX 64; together the names cover both halves of the range.
  return std::find(kNames.begin(), kNames.end() - 2, name) != kNames.end() - 2 ||
         realTime("RTMIN+", 15) || realTime("RTMAX-", 14);
}

}  // namespace

PortWord splitPortWord(std::string_view text) {
  PortWord out;
  const std::vector<std::string> parts = splitAt(text, ':');
  const std::string& container = parts.back();
  const std::size_t slash = container.find('/');
  out.containerPort = container.substr(0, slash);
  out.protocol = slash == std::string::npos ? std::string() : container.substr(slash + 1);
  if (parts.size() > 1) {
    out.hostPort = parts[parts.size() - 2];
    out.ip = join({parts.begin(), parts.end() - 2}, ":");
  }
  return out;
}

Result<PortList> parsePorts(const std::vector<std::string>& words) {
  PortList out;
  for (const std::string& word : words) {
    CHECK_OK(appendPorts(word, out.ports));
    if (out.ports.size() > 4 * static_cast<std::size_t>(kMaxPort)) {
      return invalid("more than 262140 ports are exposed");
    }
  }
  return out;
}

Status checkStopSignal(std::string_view signal) {
  const Result<std::int64_t> number = parseGoInt(signal, 64);
  if (number ? *number != 0 : isSignalName([&] {
        std::string name = upper(signal);
        return name.substr(0, 3) == "SIG" ? name.substr(3) : name;
      }())) {
    return ok();
  }
  return invalid("invalid signal: " + std::string(signal));
}

Owner splitOwner(std::string_view text) {
  Owner out;
  const std::size_t colon = text.find(':');
  out.user = text.substr(0, colon);
  out.groupGiven = colon != std::string_view::npos;
  if (out.groupGiven) {
    out.group = text.substr(colon + 1);
  }
  return out;
}

Result<RunScript> makeRunScript(const Run& run) {
  RunScript out;
  out.args = run.command.args;
  out.prependShell = run.command.shellForm;
  const std::vector<Heredoc>& heredocs = run.command.heredocs;
  if (heredocs.empty()) {
    return out;
  }
  if (out.args.size() != 1 || !out.prependShell) {
    return internal("a here-document came with " + std::to_string(out.args.size()) + " arguments");
  }
  if (!parseHeredocWord(out.args.front())) {
    for (const Heredoc& heredoc : heredocs) {
      out.args.front() += "\n" + heredoc.content + heredoc.name;
    }
    return out;
  }
  const std::string text = heredocs.front().text();
  if (text.substr(0, 2) == "#!") {
    out.pipeFile = heredocs.front();
    out.args = {"/dev/pipes/" + heredocs.front().name};
  } else {
    out.args = {text};
  }
  return out;
}

std::string cleanPath(std::string_view path) {
  const bool rooted = !path.empty() && path.front() == '/';
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    start = end + 1;
    if (part.empty() || part == ".") {
      continue;
    }
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!rooted) {
      parts.push_back(part);
    }
  }
  std::string out = rooted ? "/" : "";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    out += i > 0 ? "/" : "";
    out += parts[i];
  }
  return out.empty() ? "." : out;
}

bool isSecretName(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kSecret = {
      "apikey",   "auth",  "credential", "credentials", "key",
      "password", "pword", "passwd",     "secret",      "token"};
  static constexpr std::array<std::string_view, 3> kHarmless = {"public", "file", "version"};
  bool secret = false;
  for (const std::string& part : splitAt(lower(name), '_')) {
    if (std::find(kHarmless.begin(), kHarmless.end(), part) != kHarmless.end()) {
      return false;
    }
    secret = secret || std::find(kSecret.begin(), kSecret.end(), part) != kSecret.end();
  }
  return secret;
}

}  // namespace stagewright::dockerfile
