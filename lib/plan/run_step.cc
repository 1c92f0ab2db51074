// RUN (reference sections 3.3, 5.2).
#include <algorithm>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/expand.h"
#include "lib/dockerfile/values.h"
#include "lib/plan/cache_key.h"
#include "lib/plan/json_parts.h"
#include "lib/plan/stage_compiler.h"
#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

constexpr std::uint32_t kCacheMode = 0755;
constexpr std::uint32_t kSecretMode = 0400;
constexpr std::uint32_t kSshMode = 0600;
constexpr std::string_view kSecretDir = "/run/secrets/";
constexpr std::string_view kSshSocket = "/run/buildkit/ssh_agent.";
constexpr std::string_view kSshVariable = "SSH_AUTH_SOCK";

std::string baseName(const std::string& path) {
  const std::string clean = dockerfile::cleanPath(path);
  return clean.substr(clean.rfind('/') + 1);
}

/// A mount's source is a literal path, an export a pattern.
std::string escaped(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out;
}

class MountCompiler {
 public:
  MountCompiler(StageScope& scope, const Site& site) : scope_(scope), site_(site) {}

  Result<Mount> compile(const dockerfile::MountFlag& flag) {
    auto parsed =
        dockerfile::parseMount(flag.text, [&](std::string_view word) -> Result<std::string> {
          TRY(dockerfile::Expansion expansion,
              dockerfile::expandWord(word, scope_.state.variables,
                                     scope_.input.file.directives.escape));
          return std::move(expansion.text);
        });
    if (!parsed) {
      return site_.error(parsed.error().message, flag.text);
    }
    Mount out;
    out.type = static_cast<Mount::Type>(parsed->type);
    out.readOnly = parsed->readOnly;
    out.required = parsed->required;
    out.uid = parsed->uid.value_or(0);
    out.gid = parsed->gid.value_or(0);
    out.mode = parsed->mode;
    out.target = joinPath(scope_.state.workdir(), parsed->target);
    CHECK_OK(fill(*parsed, flag, out));
    if (out.target == "/" && !out.envOnly) {
      return site_.error("invalid mount target \"/\"", flag.text);
    }
    if (out.mode && *out.mode > 07777) {
      return site_.error("invalid value " + std::to_string(*out.mode) + " for mode", flag.text);
    }
    return out;
  }

 private:
  Status fill(const dockerfile::Mount& parsed, const dockerfile::MountFlag& flag, Mount& out) {
    switch (parsed.type) {
      case dockerfile::MountType::kBind:
        return fillBind(parsed, flag, out);
      case dockerfile::MountType::kCache:
        return fillCache(parsed, flag, out);
      case dockerfile::MountType::kTmpfs:
        out.size = parsed.sizeLimit;
        return ok();
      case dockerfile::MountType::kSecret:
        return fillSecret(parsed, flag, out);
      case dockerfile::MountType::kSsh:
        return fillSsh(parsed, flag, out);
    }
    return ok();
  }

  Status fillBind(const dockerfile::Mount& parsed, const dockerfile::MountFlag& flag, Mount& out) {
    out.source = belowRoot(parsed.source);
    if (flag.from.empty()) {
      scope_.planned().usesContext = true;
      return ok();
    }
    return readFrom(flag, out);
  }

  Status fillCache(const dockerfile::Mount& parsed, const dockerfile::MountFlag& flag, Mount& out) {
    const std::string id = parsed.id.empty() ? dockerfile::cleanPath(parsed.target) : parsed.id;
    out.id =
        scope_.arguments.cacheNamespace.empty() ? id : scope_.arguments.cacheNamespace + "/" + id;
    out.sharing = std::string(
        dockerfile::cacheSharingName(parsed.sharing.value_or(dockerfile::CacheSharing::kShared)));
    out.source = belowRoot(parsed.source);
    if (out.source == ".") {  // mode and owner apply only to a root that is made
      out.mode = parsed.mode.value_or(kCacheMode);
    }
    return flag.from.empty() || flag.from == "scratch" ? ok() : readFrom(flag, out);
  }

  Status fillSecret(const dockerfile::Mount& parsed, const dockerfile::MountFlag& flag,
                    Mount& out) {
    out.id = parsed.source.empty() ? parsed.id : parsed.source;
    if (out.id.empty()) {
      if (parsed.target.empty()) {
        return site_.error("invalid secret mount. one of source, target required", flag.text);
      }
      out.id = baseName(parsed.target);
    }
    out.env = parsed.env.value_or("");
    out.mode = parsed.mode.value_or(kSecretMode);
    if (!parsed.target.empty()) {
      return ok();
    }
    out.envOnly = parsed.env.has_value();
    out.target = out.envOnly ? std::string() : std::string(kSecretDir) + baseName(out.id);
    if (!out.envOnly && !isCleanAbsolute(out.target)) {
      return site_.error("secret id " + quoted(out.id, 128) + " names no file: give a target",
                         flag.text);
    }
    return ok();
  }

  Status fillSsh(const dockerfile::Mount& parsed, const dockerfile::MountFlag& flag, Mount& out) {
    if (!parsed.source.empty()) {
      return site_.error("ssh does not support source", flag.text);
    }
    out.id = parsed.id.empty() ? "default" : parsed.id;
    out.mode = parsed.mode.value_or(kSshMode);
    if (parsed.target.empty()) {
      out.target = std::string(kSshSocket) + std::to_string(sshMounts_);
    }
    ++sshMounts_;
    return ok();
  }

  /// A stage, an image, or a named context.
  Status readFrom(const dockerfile::MountFlag& flag, Mount& out) {
    const SourceOfCopy from = scope_.graph.mountSource(flag.from);
    if (from.stage < 0) {
      out.context = from.context;
      return ok();
    }
    if (!scope_.draft.done[static_cast<std::size_t>(from.stage)]) {
      return site_.error("cannot mount from stage " + dockerfile::goQuoted(flag.from) + " to " +
                             dockerfile::goQuoted(out.target) +
                             ", stage needs to be defined before current command",
                         flag.text);
    }
    out.source = joinPath("/", out.source);
    out.fromStage = from.stage;
    out.fromExport = scope_.draft.exportOf(from.stage, escaped(out.source));
    scope_.dependOn(from.stage);
    return ok();
  }

  StageScope& scope_;
  const Site& site_;
  int sshMounts_ = 0;
};

/// The shell of the configuration in front of the one text (section 5.2).
std::vector<std::string> withShell(const oci::ImageConfig& config,
                                   const std::vector<std::string>& args) {
  std::vector<std::string> out =
      config.shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : config.shell;
  std::string text;
  for (const std::string& arg : args) {
    text += (&arg == &args.front() ? "" : " ") + arg;
  }
  out.push_back(text);
  return out;
}

Status checkTexts(const Site& site, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos) {
      return site.error("the command or its environment holds a NUL byte");
    }
    if (!isUtf8(text)) {
      return site.error("the command or its environment is not valid UTF-8");
    }
  }
  return ok();
}

void setIfAbsent(std::vector<std::string>& env, std::string_view name, std::string_view value) {
  const std::string prefix = std::string(name) + "=";
  const bool present = std::any_of(env.begin(), env.end(), [&](const std::string& e) {
    return e.compare(0, prefix.size(), prefix) == 0;
  });
  if (!present) {
    env.push_back(prefix + std::string(value));
  }
}

std::size_t sizeOf(const std::vector<std::string>& texts) {
  std::size_t out = 0;
  for (const std::string& text : texts) {
    out += text.size() + 8;
  }
  return out;
}

}  // namespace

Result<CompiledStep> compileRun(StageScope& scope, const Site& site, const dockerfile::Run& run) {
  TRY(dockerfile::RunScript script, dockerfile::makeRunScript(run));
  RunStep out;
  out.argv = script.prependShell ? withShell(scope.state.config, script.args) : script.args;
  if (out.argv.empty() || out.argv.front().empty()) {
    return site.error("RUN needs a command: arguments are required");
  }
  if (script.pipeFile) {
    if (script.pipeFile->name.find('/') != std::string::npos ||
        !isCleanRelative(script.pipeFile->name) || script.pipeFile->name == ".") {
      return site.error("a here-document with #! needs a name that a file can have");
    }
    out.pipes.push_back({script.pipeFile->name, script.pipeFile->text()});
  }
  out.env = scope.state.variables.assignments();
  out.workdir = scope.state.workdir();
  out.user = scope.state.config.user;
  out.networkNone = run.network == dockerfile::NetworkMode::kNone;
  out.networkHost = run.network == dockerfile::NetworkMode::kHost;
  out.insecure = run.security == dockerfile::SecurityMode::kInsecure;
  MountCompiler mounts(scope, site);
  for (const dockerfile::MountFlag& flag : run.mounts) {
    TRY(Mount mount, mounts.compile(flag));
    if (mount.type == Mount::Type::kSsh) {
      setIfAbsent(out.env, kSshVariable, mount.target);
    }
    out.mounts.push_back(std::move(mount));
  }
  CHECK_OK(checkTexts(site, out.argv));
  CHECK_OK(checkTexts(site, out.env));
  CompiledStep compiled;
  compiled.history = runHistory(out.argv, scope.state.args, scope.state.variables);
  compiled.step.cacheKey =
      runKey(scope.state.cacheKey, out, out.env, scope.draft.plan, scope.draft.stageKeys);
  compiled.step.ownKey =
      runKey("", out, out.env, scope.draft.plan, StageKeys(scope.draft.stageKeys.size()));
  // After the key: a proxy that no ARG declares must not invalidate anything (section 7.2), nor must
  // the way to a certificate.
  for (const auto& [name, value] : scope.arguments.unkeyed) {
    setIfAbsent(out.env, name, value);
  }
  CHECK_OK(scope.draft.charge(sizeOf(out.argv) + sizeOf(out.env) + compiled.history.size()));
  compiled.step.action = std::move(out);
  return compiled;
}

}  // namespace stagewright::plan
