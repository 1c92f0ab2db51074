#include "cli/logs_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/cluster_access.h"
#include "cli/command.h"
#include "cli/log_parts.h"
#include "cli/registry_options.h"
#include "lib/base/clean_text.h"
#include "lib/base/guarded.h"
#include "lib/base/hash.h"
#include "lib/base/seal.h"
#include "lib/plan/contract.h"

namespace stagewright::cli {

namespace {

constexpr kube::Resource kSecrets{"", "v1", "secrets"};
constexpr std::size_t kMaxLine = 1 << 20;
constexpr Millis kLogPoll{500};
constexpr int kReadAgain = 3;
constexpr std::chrono::seconds kSaving(30);

const std::vector<Option>& logsOptions() {
  static const std::vector<Option> kOptions = [] {
    std::vector<Option> own = {
        {"-f", "", "follow until the run is over"},
        {"--follow", "", "the same as -f"},
        {"--stage", "STAGE", "only this stage, by name or number; or prepare, or publish"},
        {"--run", "ID", "another run than the last one; status.history names them"},
        {"--failed", "", "only what the failure is about"},
        {"--raw", "", "leave terminal sequences in, also on a terminal"},
        {"--registry", "HOST[:PORT]",
         "where this machine reaches the build's registry, if only the cluster reaches it by its own name"},
    };
    return together(together(std::move(own), clusterOptions()), registryOptions());
  }();
  return kOptions;
}

/// Lines of several logs on standard output. Thread-safe.
class Printer {
 public:
  explicit Printer(bool clean) : clean_(clean) {}

  void setPrefixes(bool wanted) { prefixes_ = wanted; }
  /// Frames are for the operator.
  void line(const LogPart& part, std::string_view text) {
    if (text.starts_with(kFramePrefix)) {
      return;
    }
    const std::string prefix = prefixes_ ? "[" + cleanLine(part.title(), 128) + "] " : "";
    const std::string out =
        prefix + (clean_ ? cleanLine(text, kMaxLine) : std::string(text)) + "\n";
    const auto guard = lock_.lock();
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
  }
  void text(const LogPart& part, std::string_view log) {
    while (!log.empty()) {
      const std::size_t end = std::min(log.find('\n'), log.size());
      line(part, log.substr(0, end));
      log.remove_prefix(std::min(end + 1, log.size()));
    }
  }

 private:
  bool clean_;
  bool prefixes_ = false;
  Guarded<int> lock_;  // held while writing, so that lines never mix
};

void warn(const std::string& text) {
  std::fprintf(stderr, "stagewright: %s\n", cleanLine(text, 4096).c_str());
}

/// One look at a run: its build and its parts, without what the registry has.
struct Look {
  api::ImageBuild build;
  std::vector<LogPart> parts;
};

bool isPublishing(const std::vector<LogPart>& parts) {
  return std::any_of(parts.begin(), parts.end(), [](const LogPart& part) {
    return part.key == "publish" && !part.pod.empty();
  });
}

class LogReader {
 public:
  LogReader(const Arguments& arguments, const ClusterAccess& access)
      : arguments_(arguments),
        access_(access),
        printer_(!arguments.has("--raw") && ::isatty(STDOUT_FILENO) == 1) {
    wish_.stage = arguments.last("--stage", "");
    wish_.failed = arguments.has("--failed");
  }

  Status print();
  Status follow();

 private:
  Result<api::ImageBuild> begin();
  Result<Look> look();
  Status addSavedLogs(Look& seen);
  Result<oci::Repository> repositoryOf(const api::ImageBuild& build) const;
  Status openRegistry(const api::ImageBuild& build);
  registry::Credentials secretOf(const api::ImageBuild& build);
  Status rename(oci::Repository& repository, registry::Credentials& credentials) const;
  Status printPart(const LogPart& part);
  kube::ApiStatus readPod(const LogPart& part, bool follow);
  void followPart(const LogPart& part);

  const Arguments& arguments_;
  const ClusterAccess& access_;
  Printer printer_;
  LogWish wish_;
  std::string run_;
  std::optional<RegistryAccess> registry_;
  std::optional<oci::Repository> repository_;
};

/// The build, and which of its runs is meant.
Result<api::ImageBuild> LogReader::begin() {
  kube::ApiResult<api::ImageBuild> build = fetchBuild(access_, {});
  if (!build) {
    return Error(build.error());
  }
  const std::string last = build->status.run ? build->status.run->id : "";
  run_ = arguments_.last("--run", last);
  if (run_.empty()) {
    return notFound("ImageBuild " + stagewright::quoted(access_.build) + " has had no run yet");
  }
  if (wish_.failed && run_ != last) {
    return invalid("--failed is about the last run; with --run name the stage with --stage");
  }
  return std::move(*build);
}

Result<Look> LogReader::look() {
  kube::ApiResult<api::ImageBuild> build = fetchBuild(access_, {});
  if (!build) {
    return Error(build.error());
  }
  Look out{std::move(*build), {}};
  out.parts = partsOfStatus(out.build, run_);
  kube::ListOptions options;
  options.labelSelector = std::string(api::kBuildLabel) + "=" + access_.build + "," +
                          std::string(api::kRunLabel) + "=" + run_;
  const auto listed = access_.client->list(kube::kPods, access_.ns, options,
                                           [&](Json& pod) { addPod(out.parts, pod); }, {});
  if (!listed) {
    return Error(listed.error());
  }
  return out;
}

Result<oci::Repository> LogReader::repositoryOf(const api::ImageBuild& build) const {
  const api::Output& output = build.spec.output;
  if (!output.repository.empty()) {
    return oci::parseRepository(output.repository);
  }
  TRY(const oci::Reference reference, oci::parseReference(output.image));
  return reference.repository;
}

/// The Secret that the build pushes with, if this user may read it.
registry::Credentials LogReader::secretOf(const api::ImageBuild& build) {
  const std::string& name = build.spec.output.secretRef;
  if (name.empty()) {
    return {};
  }
  const auto secret = access_.client->get(kSecrets, access_.ns, name, {});
  const Json data = secret ? secret->value("data", Json::object()) : Json::object();
  const auto text = fromBase64(data.value(".dockerconfigjson", ""));
  const auto parsed = text ? registry::Credentials::parseDockerConfig(*text)
                           : Result<registry::Credentials>(text.error());
  return parsed ? *parsed : registry::Credentials();
}

/// The same registry under the name that this machine reaches it by, with the same credentials.
Status LogReader::rename(oci::Repository& repository, registry::Credentials& credentials) const {
  const std::string name = arguments_.last("--registry", repository.registry);
  if (name.empty() || name.find_first_of("/@ ") != std::string::npos) {
    return invalid("--registry " + stagewright::quoted(name) + ": expected a host, or host:port");
  }
  if (const auto credential = credentials.find(repository)) {
    credentials.add(name, *credential);
  }
  repository.registry = name;
  return ok();
}

Status LogReader::openRegistry(const api::ImageBuild& build) {
  TRY(repository_, repositoryOf(build));
  registry::HostConfig known;
  for (const api::Registry& registry : build.spec.registries) {
    if (registry.host == repository_->registry && registry.tls) {
      known.tls = *registry.tls == api::Tls::kPlainHTTP    ? registry::HostConfig::Tls::kPlainHttp
                  : *registry.tls == api::Tls::kSkipVerify ? registry::HostConfig::Tls::kSkipVerify
                                                           : registry::HostConfig::Tls::kVerify;
    }
  }
  registry::Credentials credentials = secretOf(build);
  CHECK_OK(rename(*repository_, credentials));
  oci::Reference reference;
  reference.repository = *repository_;
  TRY(registry_, makeRegistryAccess(arguments_, reference, known.tls, credentials));
  return ok();
}

/// Publish saves them when the image is there already, so for some seconds they may be on their
/// way.
Status LogReader::addSavedLogs(Look& seen) {
  CHECK_OK(openRegistry(seen.build));
  const std::string tag = plan::logsTag(access_.ns, access_.build);
  const SteadyPoint end = access_.clock->steadyNow() + kSaving;
  while (true) {
    const auto saved = fetchSavedRun(*registry_->client, *repository_, tag, run_, {});
    for (const SavedLog& log : saved ? *saved : std::vector<SavedLog>()) {
      addSaved(seen.parts, log);
    }
    const bool onTheWay =
        !saved && saved.error().code == Code::kNotFound && isPublishing(seen.parts);
    if (!onTheWay || access_.clock->steadyNow() >= end) {
      return saved ? ok() : Status(saved.error());
    }
    access_.clock->sleepFor(kLogPoll, {});
    TRY(seen, look());
  }
}

kube::ApiStatus LogReader::readPod(const LogPart& part, bool follow) {
  kube::LogOptions options;
  options.container = part.key == "prepare" || part.key == "publish" ? part.key : "stage";
  options.follow = follow;
  options.limits.lineBytes = kMaxLine;
  return access_.client->log(access_.ns, part.pod, options,
                             [&](std::string_view line) {
                               printer_.line(part, line);
                               return true;
                             },
                             {});
}

Status LogReader::printPart(const LogPart& part) {
  if (part.started) {
    const kube::ApiStatus read = readPod(part, false);
    if (read || !part.saved) {
      return read ? ok() : Status(Error(read.error()));
    }
  }
  if (part.saved) {
    TRY(const std::string log, fetchSavedLog(*registry_->client, *repository_, *part.saved, {}));
    printer_.text(part, log);
    return ok();
  }
  return part.pod.empty()
             ? notFound("the pod of " + part.title() + " is gone, and its log is not saved")
             : notFound(part.title() + " has not begun yet");
}

Status LogReader::print() {
  TRY(const api::ImageBuild build, begin());
  TRY(Look seen, look());
  const bool complete =
      !seen.parts.empty() && std::all_of(seen.parts.begin(), seen.parts.end(),
                                         [](const LogPart& part) { return !part.pod.empty(); });
  const Status saved = complete ? ok() : addSavedLogs(seen);
  Result<std::vector<LogPart>> chosen = chooseParts(seen.parts, wish_, seen.build);
  if (!chosen) {
    return saved ? Status(chosen.error()) : saved;
  }
  printer_.setPrefixes(chosen->size() > 1);
  int printed = 0;
  Status failed = ok();
  for (const LogPart& part : *chosen) {
    const Status done = printPart(part);
    printed += done ? 1 : 0;
    if (!done) {
      warn(done.error().message);
      failed = done;
    }
  }
  if (!saved && !failed) {
    warn(saved.error().message);
  }
  return printed > 0 ? ok() : failed;
}

/// A pod whose log breaks off is read again only if it said nothing: lines must not come twice.
void LogReader::followPart(const LogPart& part) {
  const kube::ApiStatus read = readPod(part, true);
  if (!read) {
    warn("log of " + part.title() + ": " + read.error().message);
  }
}

Status LogReader::follow() {
  TRY(const api::ImageBuild build, begin());
  printer_.setPrefixes(wish_.stage.empty());
  std::map<std::string, std::jthread> followed;  // by pod
  int failures = 0;
  while (true) {
    const Result<Look> seen = look();
    if (!seen && (seen.error().code != Code::kUnavailable || ++failures > kReadAgain)) {
      return seen.error();
    }
    if (seen) {
      failures = 0;
      const auto chosen = chooseParts(seen->parts, wish_, seen->build);
      for (const LogPart& part : chosen ? *chosen : std::vector<LogPart>()) {
        if (part.started && !followed.contains(part.pod)) {
          followed[part.pod] = std::jthread([this, part] { followPart(part); });
        }
      }
      const auto& run = seen->build.status.run;
      if (!run || run->id != run_ || api::isFinished(*run)) {
        break;
      }
    }
    access_.clock->sleepFor(kLogPoll, {});
  }
  const bool any = !followed.empty();
  followed.clear();  // waits for their ends
  return any ? ok() : print();
}

}  // namespace

int runLogsCommand(const std::vector<std::string>& args) {
  const Result<Arguments> arguments = Arguments::parse(args, logsOptions());
  if (!arguments) {
    return complain(arguments.error(), kUsageError);
  }
  if (arguments->has("--help")) {
    std::printf("usage: stagewright logs [options] NAME\n%s",
                describeOptions(logsOptions()).c_str());
    return kSuccess;
  }
  const Result<ClusterAccess> access = makeClusterAccess(*arguments);
  if (!access) {
    return complain(access.error(), access.error().code == Code::kInvalid ? kUsageError : kFailure);
  }
  LogReader reader(*arguments, *access);
  const bool follow = arguments->has("-f") || arguments->has("--follow");
  const Status done = follow ? reader.follow() : reader.print();
  return done ? kSuccess : complain(done.error(), kFailure);
}

}  // namespace stagewright::cli
