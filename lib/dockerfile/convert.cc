#include "lib/dockerfile/convert.h"

#include <algorithm>
#include <array>

#include "lib/dockerfile/convert_files.h"
#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/flags.h"
#include "lib/dockerfile/healthcheck.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

using Body = Parsed<InstructionBody>;

tl::unexpected<Mistake> atLeastOne(std::string_view name) {
  return mistake(std::string(name) + " requires at least one argument");
}
tl::unexpected<Mistake> exactlyOne(std::string_view name) {
  return mistake(std::string(name) + " requires exactly one argument");
}

/// Refuses every flag.
Parsed<FlagValues> noFlags(const SyntaxNode& node) { return readFlags(node.flags, {}); }

CommandLine commandLineOf(const SyntaxNode& node, std::size_t firstWord = 0) {
  CommandLine command;
  command.shellForm = !node.json;
  command.args.assign(node.words.begin() + static_cast<std::ptrdiff_t>(firstWord),
                      node.words.end());
  return command;
}

bool isStageName(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || isAsciiDigit(c) || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(), allowed);
}

Body convertFrom(const SyntaxNode& node) {
  From from;
  const std::vector<std::string>& words = node.words;
  if (words.size() == 3 && equalFold(words[1], "as")) {
    from.asWord = words[1];
    from.nameAsWritten = words[2];
    from.name = lower(words[2]);
    if (!isStageName(from.name)) {
      return mistake("invalid name for build stage: " + goQuoted(words[2]) +
                         ", name can't start with a number or contain symbols",
                     words[2]);
    }
  } else if (words.size() != 1) {
    return mistake("FROM requires either one or three arguments", {},
                   "write FROM image, or FROM image AS name");
  }
  const Parsed<FlagValues> flags = readFlags(node.flags, {{"platform", FlagKind::kText}});
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  from.base = words[0];
  from.platform = flags->text("platform");
  return from;
}

/// ARG does not look at flags (§2.7).
Body convertArg(const SyntaxNode& node) {
  if (node.words.empty()) {
    return atLeastOne("ARG");
  }
  Arg arg;
  for (const std::string& word : node.words) {
    const std::size_t equals = word.find('=');
    if (equals == 0) {
      return mistake("ARG names can not be blank", word);
    }
    Arg::Entry entry;
    entry.name = word.substr(0, equals);
    if (equals != std::string::npos) {
      entry.value = word.substr(equals + 1);
    }
    arg.entries.push_back(std::move(entry));
  }
  return arg;
}

Parsed<std::vector<KeyValue>> convertPairs(const SyntaxNode& node, const std::string& name) {
  const Parsed<FlagValues> flags = noFlags(node);
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  if (node.words.empty()) {
    return atLeastOne(name);
  }
  std::vector<KeyValue> pairs;
  for (std::size_t i = 0; i + 2 < node.words.size(); i += 3) {
    if (node.words[i].empty()) {
      return mistake(name + " names can not be blank", "=" + node.words[i + 1]);
    }
    pairs.push_back({node.words[i], node.words[i + 1], node.words[i + 2].empty()});
  }
  return pairs;
}

Body convertEnv(const SyntaxNode& node) {
  return convertPairs(node, "ENV").map([](std::vector<KeyValue> pairs) -> InstructionBody {
    return Env{std::move(pairs)};
  });
}

Body convertLabel(const SyntaxNode& node) {
  return convertPairs(node, "LABEL").map([](std::vector<KeyValue> pairs) -> InstructionBody {
    return Label{std::move(pairs)};
  });
}

Parsed<NetworkMode> networkOf(const FlagValues& flags) {
  const std::string value = flags.has("network") ? flags.text("network") : "default";
  if (value == "default") {
    return NetworkMode::kDefault;
  }
  if (value == "none") {
    return NetworkMode::kNone;
  }
  if (value == "host") {
    return NetworkMode::kHost;
  }
  return mistake("invalid network mode " + goQuoted(value), "--network=" + value,
                 "default, none and host are known");
}

Parsed<SecurityMode> securityOf(const FlagValues& flags) {
  const std::string value = flags.has("security") ? flags.text("security") : "sandbox";
  if (value == "sandbox") {
    return SecurityMode::kSandbox;
  }
  if (value == "insecure") {
    return SecurityMode::kInsecure;
  }
  return mistake("security " + goQuoted(value) + " is not valid", "--security=" + value,
                 "sandbox and insecure are known");
}

Parsed<std::vector<MountFlag>> mountsOf(const FlagValues& flags) {
  std::vector<MountFlag> mounts;
  for (std::string& text : flags.list("mount")) {
    Result<std::string> from = mountSource(text);
    if (!from) {
      return mistake(from.error().message, "--mount=" + text);
    }
    mounts.push_back({text, std::move(*from)});
  }
  return mounts;
}

/// `name`, `name=NAME`, with `required` (§5.2, labs). The first field that is no key is the name: `vendor.com/gpu=all`.
struct Device {
  std::string name;
  bool required = false;
};

Result<Device> parseDevice(const std::string& text) {
  Device device;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string field = text.substr(begin, end - begin);
    const std::size_t equals = field.find('=');
    const std::string key = lower(field.substr(0, equals));
    const std::string value = equals == std::string::npos ? "true" : field.substr(equals + 1);
    if (key == "required") {
      const std::optional<bool> required = parseGoBool(value);
      if (!required) {
        return invalid("invalid value for " + key + ": " + value);
      }
      device.required = *required;
    } else if (key == "name" && equals != std::string::npos) {
      if (!device.name.empty()) {
        return invalid("device name already set to " + device.name);
      }
      device.name = value;
    } else if (device.name.empty()) {
      device.name = field;
    } else {
      return invalid(equals == std::string::npos ? "invalid field '" + field + "' must be a key=value pair"
                                                 : "unexpected key '" + key + "' in '" + field + "'");
    }
    begin = end + 1;
  }
  return device;
}

Body convertRun(const SyntaxNode& node) {
  const Parsed<FlagValues> flags = readFlags(node.flags, {{"mount", FlagKind::kList},
                                                          {"network", FlagKind::kText},
                                                          {"security", FlagKind::kText},
                                                          {"device", FlagKind::kList}});
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  const auto& devices = flags->list("device");
  for (const std::string& text : devices) {
    const Result<Device> device = parseDevice(text);
    if (!device) {
      return mistake(device.error().message, "--device=" + text);
    }
    if (device->required) {
      return mistake("required device " + goQuoted(device->name) + " is not registered", "--device=" + text,
                     "without `required` RUN goes on without it");
    }
  }
  Run run;
  run.devices = devices;
  run.command = commandLineOf(node);
  run.command.heredocs = node.heredocs;
  run.flagsUsed = flags->names();
  const Parsed<NetworkMode> network = networkOf(*flags);
  const Parsed<SecurityMode> security = securityOf(*flags);
  Parsed<std::vector<MountFlag>> mounts = mountsOf(*flags);
  if (!mounts || !network || !security) {
    return tl::unexpected<Mistake>(!mounts    ? mounts.error()
                                   : !network ? network.error()
                                              : security.error());
  }
  run.mounts = std::move(*mounts);
  run.network = *network;
  run.security = *security;
  return run;
}

template <class T>
Body convertCommand(const SyntaxNode& node) {
  const Parsed<FlagValues> flags = noFlags(node);
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  return T{commandLineOf(node)};
}

/// Instructions whose whole rest is one string.
template <class T>
Body convertText(const SyntaxNode& node, std::string_view name) {
  if (node.words.size() != 1) {
    return exactlyOne(name);
  }
  const Parsed<FlagValues> flags = noFlags(node);
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  return T{node.words.front()};
}

/// STOPSIGNAL does not look at flags (§2.7).
Body convertStopSignal(const SyntaxNode& node) {
  if (node.words.size() != 1) {
    return exactlyOne("STOPSIGNAL");
  }
  return StopSignal{node.words.front()};
}

/// The words are sorted here already, before their variables are expanded (§5.5).
Body convertExpose(const SyntaxNode& node) {
  if (node.words.empty()) {
    return atLeastOne("EXPOSE");
  }
  const Parsed<FlagValues> flags = noFlags(node);
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  Expose expose{node.words};
  std::sort(expose.ports.begin(), expose.ports.end());
  return expose;
}

Body convertVolume(const SyntaxNode& node) {
  if (node.words.empty()) {
    return atLeastOne("VOLUME");
  }
  const Parsed<FlagValues> flags = noFlags(node);
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  Volume volume;
  for (const std::string& word : node.words) {
    volume.paths.emplace_back(trim(word));
    if (volume.paths.back().empty()) {
      return mistake("VOLUME specified can not be an empty string");
    }
  }
  return volume;
}

Body convertShell(const SyntaxNode& node) {
  const Parsed<FlagValues> flags = noFlags(node);
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  if (node.words.empty()) {
    return atLeastOne("SHELL");
  }
  if (!node.json) {
    return mistake("SHELL requires the arguments to be in JSON form", node.words.front(),
                   "write SHELL [\"/bin/sh\", \"-c\"]");
  }
  return Shell{node.words};
}

/// The trigger as it is stored: the text behind the keyword, then the here-documents (§3.4).
std::string triggerText(const SyntaxNode& node) {
  std::string_view text = trimLeft(node.original);
  text = trimLeft(text.substr(node.keyword.size()));
  std::string out(text);
  for (const Heredoc& heredoc : node.heredocs) {
    out += "\n" + heredoc.content + heredoc.name;
  }
  return out;
}

Body convertOnBuild(const SyntaxNode& node) {
  if (!node.child) {
    return atLeastOne("ONBUILD");
  }
  const Parsed<FlagValues> flags = noFlags(node);
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  const std::string trigger = upper(node.child->keyword);
  if (trigger == "ONBUILD") {
    return mistake("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  if (trigger == "MAINTAINER" || trigger == "FROM") {
    return mistake(trigger + " isn't allowed as an ONBUILD trigger", node.child->keyword);
  }
  return OnBuild{triggerText(node)};
}

std::vector<std::string> instructionNames() {
  return {"ADD",    "ARG",   "CMD",         "COPY",  "ENTRYPOINT", "ENV",
          "EXPOSE", "FROM",  "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
          "RUN",    "SHELL", "STOPSIGNAL",  "USER",  "VOLUME",     "WORKDIR"};
}

tl::unexpected<Mistake> unknownInstruction(const SyntaxNode& node) {
  std::string message = withSuggestion("unknown instruction: " + node.keyword, node.keyword,
                                       instructionNames(), true);
  const bool suggested = message.find("(did you mean") != std::string::npos;
  return mistake(std::move(message), {},
                 suggested ? ""
                           : "if this continues the instruction above, that line must end with the "
                             "escape character");
}

}  // namespace

Parsed<InstructionBody> convertNode(const SyntaxNode& node) {
  using Convert = Body (*)(const SyntaxNode&);
  struct Row {
    std::string_view keyword;
    Convert convert;
  };
  static constexpr std::array<Row, 18> kRows = {{
      {"add", convertAdd},
      {"arg", convertArg},
      {"cmd", convertCommand<Cmd>},
      {"copy", convertCopy},
      {"entrypoint", convertCommand<Entrypoint>},
      {"env", convertEnv},
      {"expose", convertExpose},
      {"from", convertFrom},
      {"healthcheck", convertHealthcheck},
      {"label", convertLabel},
      {"maintainer", [](const SyntaxNode& n) { return convertText<Maintainer>(n, "MAINTAINER"); }},
      {"onbuild", convertOnBuild},
      {"run", convertRun},
      {"shell", convertShell},
      {"stopsignal", convertStopSignal},
      {"user", [](const SyntaxNode& n) { return convertText<User>(n, "USER"); }},
      {"volume", convertVolume},
      {"workdir", [](const SyntaxNode& n) { return convertText<Workdir>(n, "WORKDIR"); }},
  }};
  for (const Row& row : kRows) {
    if (equalFold(row.keyword, node.keyword)) {
      return row.convert(node);
    }
  }
  return unknownInstruction(node);
}

}  // namespace stagewright::dockerfile
