#include "cli/build_options.h"

#include <cstdlib>
#include <map>

#include "lib/base/file.h"
#include "lib/oci/reference.h"
#include "lib/registry/credentials.h"

namespace stagewright::cli {

namespace {

constexpr std::size_t kMaxCredentials = 1024 * 1024;

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// `K=V`; a name alone takes the value of the variable, if it is set.
void addPair(Pairs& pairs, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos) {
    pairs.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  } else if (const char* value = std::getenv(text.c_str())) {
    pairs.emplace_back(text, value);
  }
}

/// `key=value,key=value`
Result<std::map<std::string, std::string>> parseFields(const std::string& text) {
  std::map<std::string, std::string> out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string field = text.substr(begin, end - begin);
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos || equals == 0) {
      return invalid("invalid field " + stagewright::quoted(field) + ": must be key=value");
    }
    out[field.substr(0, equals)] = field.substr(equals + 1);
    begin = end + 1;
  }
  return out;
}

std::string take(std::map<std::string, std::string>& fields, const std::string& key) {
  auto node = fields.extract(key);
  return node.empty() ? "" : node.mapped();
}

Status refuseRest(const std::map<std::string, std::string>& fields, const std::string& option) {
  return fields.empty() ? ok() : Status(invalid(option + ": unknown key " + stagewright::quoted(fields.begin()->first)));
}

Status addSecret(local::BuildOptions& options, const std::string& text) {
  TRY(auto fields, parseFields(text));
  const std::string id = take(fields, "id");
  const std::string type = take(fields, "type");
  local::SecretSource source;
  source.variable = take(fields, "env");
  for (const char* key : {"src", "source"}) {
    if (std::string value = take(fields, key); !value.empty()) {
      source.file = std::move(value);
    }
  }
  CHECK_OK(refuseRest(fields, "--secret"));
  if (id.empty()) {
    return invalid("--secret needs an id");
  }
  if (type == "env" && source.variable.empty()) {
    source.variable = source.file.empty() ? id : std::exchange(source.file, "");
  }
  if (source.file.empty() && source.variable.empty()) {
    (std::getenv(id.c_str()) != nullptr && type != "file" ? source.variable : source.file) = id;
  }
  options.secrets[id] = std::move(source);
  return ok();
}

/// `default`, `id=socket`
Status addSsh(local::BuildOptions& options, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string id = text.substr(0, equals);
  const char* agent = std::getenv("SSH_AUTH_SOCK");
  const std::string socket = equals != std::string::npos ? text.substr(equals + 1) : agent != nullptr ? agent : "";
  if (socket.empty()) {
    return invalid("--ssh " + id + ": no socket is given and SSH_AUTH_SOCK is not set");
  }
  options.sshSockets[id] = socket;
  return ok();
}

plan::RegistryAccess& accessTo(local::BuildOptions& options, const std::string& host) {
  for (plan::RegistryAccess& access : options.registries) {
    if (access.host == host) {
      return access;
    }
  }
  options.registries.push_back({host, plan::RegistryAccess::Tls::kVerify, "", {}});
  return options.registries.back();
}

/// `HOST` or `http://HOST` speaks plain HTTP, `https://HOST` does not verify.
void addInsecure(local::BuildOptions& options, const std::string& text) {
  using Tls = plan::RegistryAccess::Tls;
  const bool isTls = text.starts_with("https://");
  const std::size_t scheme = text.find("://");
  accessTo(options, scheme == std::string::npos ? text : text.substr(scheme + 3)).tls =
      isTls ? Tls::kSkipVerify : Tls::kPlainHttp;
}

/// `MIRROR` is one of docker.io, `HOST=MIRROR` of another registry.
void addMirror(local::BuildOptions& options, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string host = equals == std::string::npos ? "docker.io" : text.substr(0, equals);
  accessTo(options, host).mirrors.push_back(equals == std::string::npos ? text : text.substr(equals + 1));
}

bool isLoopback(const std::string& host) {
  return host.starts_with("localhost:") || host == "localhost" || host.starts_with("127.") || host.starts_with("[::1]");
}

/// As Docker does it: registries on this machine speak plain HTTP.
void allowLoopbackHost(local::BuildOptions& options, const std::string& host) {
  if (isLoopback(host) && accessTo(options, host).tls == plan::RegistryAccess::Tls::kVerify) {
    addInsecure(options, host);
  }
}

void allowLoopback(local::BuildOptions& options, const std::string& name) {
  const auto reference = oci::parseReference(name);
  allowLoopbackHost(options, reference ? reference->repository.registry : name.substr(0, name.find('/')));
}

void addCredentials(local::BuildOptions& options) {
  const char* directory = std::getenv("DOCKER_CONFIG");
  const char* home = std::getenv("HOME");
  const std::string path = directory != nullptr ? std::string(directory) + "/config.json"
                                                : std::string(home == nullptr ? "" : home) + "/.docker/config.json";
  if (const auto text = loadFile(path, kMaxCredentials)) {
    if (const auto parsed = registry::Credentials::parseDockerConfig(*text)) {
      options.credentials.append(*parsed);
    }
  }
}

std::string defaultCache() {
  const char* own = std::getenv("STAGEWRIGHT_LOCAL_CACHE");
  if (own != nullptr && *own != '\0') {
    return own;
  }
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::string base =
      cache != nullptr && *cache != '\0' ? cache : std::string(home == nullptr ? "/root" : home) + "/.cache";
  return base + "/stagewright/local";
}

/// `type=registry,ref=REFERENCE`, `type=local,src=DIRECTORY` (dest for --cache-to), `type=inline`; text alone is a reference.
Result<local::CacheLocation> parseCache(const std::string& text, const std::string& option) {
  using Type = local::CacheLocation::Type;
  const bool isTo = option == "--cache-to";
  local::CacheLocation out;
  std::map<std::string, std::string> fields{{"type", text == "inline" ? "inline" : "registry"}, {"ref", text}};
  if (text.find('=') != std::string::npos) {
    TRY(fields, parseFields(text));
  } else if (text == "inline") {
    fields.erase("ref");
  }
  const std::string type = take(fields, "type");
  if (type == "registry") {
    out.place = take(fields, "ref");
    if (const auto reference = oci::parseReference(out.place); !reference || reference->digest) {
      return invalid(option + " type=registry: " + (reference ? "a digest cannot be written to" : reference.error().message));
    }
  } else if (type == "local") {
    out.type = Type::kDirectory;
    out.place = take(fields, isTo ? "dest" : "src");
    if (out.place.empty()) {
      return invalid(option + " type=local needs " + (isTo ? "dest" : "src") + "=DIRECTORY");
    }
  } else if (type == "inline" && isTo) {
    out.type = Type::kInline;
  } else {
    return invalid(option + ": unknown type " + stagewright::quoted(type) + ": registry, local" + (isTo ? " and inline" : "") + " are there");
  }
  if (isTo) {
    const std::string mode = take(fields, "mode");
    if (!mode.empty() && mode != "min" && mode != "max") {
      return invalid(option + ": unknown mode " + stagewright::quoted(mode));
    }
    out.everyStage = mode == "max";
    const std::string ignore = take(fields, "ignore-error");
    out.mayFail = ignore == "true" || ignore == "1";
  }
  CHECK_OK(refuseRest(fields, option + " type=" + type));
  return out;
}

Status takeList(local::BuildOptions& options, std::string_view name, const std::string& value) {
  if (name == "-t" || name == "--tag") {
    if (auto reference = oci::parseReference(value); !reference || reference->digest) {
      return invalid("-t " + value + ": " + (reference ? "a tag cannot have a digest" : reference.error().message));
    }
    options.tags.push_back(value);
  } else if (name == "--build-arg") {
    addPair(options.buildArgs, value);
  } else if (name == "--label") {
    options.labels.emplace_back(value.substr(0, value.find('=')),
                                value.find('=') == std::string::npos ? "" : value.substr(value.find('=') + 1));
  } else if (name == "--annotation") {
    options.annotations.emplace_back(value.substr(0, value.find('=')),
                                     value.find('=') == std::string::npos ? "" : value.substr(value.find('=') + 1));
  } else if (name == "--build-context") {
    if (value.find('=') == std::string::npos) {
      return invalid("--build-context " + stagewright::quoted(value) + ": must be NAME=VALUE");
    }
    addPair(options.contexts, value);
  } else if (name == "--secret") {
    return addSecret(options, value);
  } else if (name == "--ssh") {
    return addSsh(options, value);
  } else if (name == "--insecure-registry") {
    addInsecure(options, value);
  } else if (name == "--registry-mirror") {
    addMirror(options, value);
  } else if (name == "--allow") {
    if (value != "network.host" && value != "security.insecure") {
      return invalid("--allow: unknown entitlement " + stagewright::quoted(value) + ": network.host and security.insecure are there");
    }
    options.entitlements.insert(value);
  } else if (name == "--cache-from" || name == "--cache-to") {
    TRY(local::CacheLocation location, parseCache(value, std::string(name)));
    if (location.type == local::CacheLocation::Type::kRegistry) {
      allowLoopback(options, location.place);
    }
    (name == "--cache-from" ? options.cacheFrom : options.cacheTo).push_back(std::move(location));
  } else if (name == "-o" || name == "--output") {
    TRY(local::Output output, parseOutput(value));
    options.outputs.push_back(std::move(output));
  }
  return ok();
}

Result<local::ProgressStyle> parseProgress(const std::string& text) {
  static const std::map<std::string, local::ProgressStyle> kStyles{{"auto", local::ProgressStyle::kAuto},
                                                                   {"plain", local::ProgressStyle::kPlain},
                                                                   {"tty", local::ProgressStyle::kTty},
                                                                   {"json", local::ProgressStyle::kJson},
                                                                   {"rawjson", local::ProgressStyle::kJson},
                                                                   {"quiet", local::ProgressStyle::kQuiet}};
  const auto found = kStyles.find(text);
  return found == kStyles.end() ? Result<local::ProgressStyle>(invalid("--progress: unknown style " + stagewright::quoted(text)))
                                : found->second;
}

Status checkOutputs(local::BuildOptions& options, bool push) {
  if (push) {
    options.outputs.push_back({local::Output::Type::kRegistry, "", true, std::nullopt});
  }
  std::optional<compress::Format> format;
  for (const local::Output& output : options.outputs) {
    if (format && output.layerFormat && format != output.layerFormat) {
      return invalid("--output: one compression for all outputs");
    }
    format = output.layerFormat ? output.layerFormat : format;
  }
  options.layerFormat = format.value_or(compress::Format::kGzip);
  if (options.dockerFormat && options.layerFormat == compress::Format::kZstd) {
    return invalid("--output: compression=zstd does not go with --docker-format, which has no name for it");
  }
  for (const local::Output& output : options.outputs) {
    if (output.type == local::Output::Type::kRegistry && options.tags.empty()) {
      return invalid("to push an image it needs a name: -t REFERENCE");
    }
  }
  return ok();
}

}  // namespace

const std::vector<Option>& buildOptionTable() {
  static const std::vector<Option> kOptions = {
      {"--local", "", "build on this machine (the only way so far that this command knows)"},
      {"-f", "FILE", "the Dockerfile; `-` is standard input (default: CONTEXT/Dockerfile)"},
      {"--file", "FILE", "the same as -f"},
      {"-t", "REFERENCE", "name of the image (repeatable)"},
      {"--tag", "REFERENCE", "the same as -t"},
      {"--target", "STAGE", "the stage to build (default: the last)"},
      {"--build-arg", "NAME=VALUE", "value of an ARG; NAME alone takes it from the environment"},
      {"--build-context", "NAME=VALUE", "a further context: a directory, docker-image://…, oci-layout://…, oci-archive://…, docker-archive://…, a git or http URL"},
      {"--secret", "id=ID[,src=FILE|,env=VARIABLE]", "a secret for RUN --mount=type=secret"},
      {"--ssh", "ID[=SOCKET]", "an agent's socket for RUN --mount=type=ssh (default: $SSH_AUTH_SOCK)"},
      {"--label", "NAME=VALUE", "a label of the image"},
      {"--annotation", "NAME=VALUE", "an annotation of the manifest"},
      {"--platform", "OS/ARCH", "the platform to build for (default: this machine's)"},
      {"--no-cache", "", "run every step"},
      {"--pull", "", "fail if a base image cannot be looked up anew"},
      {"-o", "type=TYPE[,dest=PATH]", "registry, oci, docker, tar or local; a path alone means local, `-` a tar"},
      {"--output", "type=TYPE[,dest=PATH]", "the same as -o"},
      {"--push", "", "push to the registry: -o type=registry"},
      {"--docker-format", "", "Docker's media types instead of OCI's"},
      {"--progress", "STYLE", "auto, plain, tty, json or quiet"},
      {"-q", "", "print the image id alone"},
      {"--quiet", "", "the same as -q"},
      {"--metadata-file", "FILE", "write digests and names as JSON"},
      {"--iidfile", "FILE", "write the image id (the digest of its config)"},
      {"--check", "", "check the Dockerfile and build nothing"},
      {"--format", "FORMAT", "of --check: text or json"},
      {"--insecure-registry", "HOST", "speak plain HTTP to it; https://HOST: do not verify its certificate"},
      {"--registry-mirror", "[HOST=]MIRROR", "pull from there first (HOST: docker.io)"},
      {"--allow", "ENTITLEMENT", "network.host, security.insecure: what RUN --network=host and --security=insecure need"},
      {"--cache-from", "CACHE", "REFERENCE, type=registry,ref=REFERENCE or type=local,src=DIRECTORY (repeatable)"},
      {"--cache-to", "CACHE", "type=registry,ref=REFERENCE or type=local,dest=DIRECTORY, with mode=min|max; type=inline"},
      {"--jobs", "N", "stages at a time (default: all that can run)"},
      {"--cache-dir", "DIRECTORY", "of unpacked bases and finished steps (default: ~/.cache/stagewright/local)"},
  };
  return kOptions;
}

namespace {
Status parseCompression(const std::string& text, local::Output& output) {
  const bool isTree = output.type == local::Output::Type::kTar || output.type == local::Output::Type::kLocal;
  if (text.empty()) {
    return ok();
  }
  if ((text != "gzip" && text != "zstd") || isTree) {
    return invalid("--output: compression=" + text + (isTree ? ": no layers are written" : ": gzip or zstd are known"));
  }
  output.layerFormat = text == "zstd" ? compress::Format::kZstd : compress::Format::kGzip;
  return ok();
}
}  // namespace

Result<local::Output> parseOutput(const std::string& text) {
  local::Output output;
  if (text.find('=') == std::string::npos) {
    output.type = text == "-" ? local::Output::Type::kTar : local::Output::Type::kLocal;
    output.destination = text;
    return output;
  }
  static const std::map<std::string, local::Output::Type> kTypes{{"registry", local::Output::Type::kRegistry},
                                                                 {"oci", local::Output::Type::kOci},
                                                                 {"docker", local::Output::Type::kDocker},
                                                                 {"tar", local::Output::Type::kTar},
                                                                 {"local", local::Output::Type::kLocal}};
  TRY(auto fields, parseFields(text));
  const std::string type = take(fields, "type");
  const auto found = kTypes.find(type);
  if (found == kTypes.end()) {
    return invalid("--output: unknown type " + stagewright::quoted(type));
  }
  output.type = found->second;
  output.destination = take(fields, "dest");
  const std::string tar = take(fields, "tar");
  output.tar = tar != "false" && tar != "0";
  CHECK_OK(parseCompression(take(fields, "compression"), output));
  CHECK_OK(refuseRest(fields, "--output type=" + type));
  if (output.type != local::Output::Type::kRegistry && output.destination.empty()) {
    return invalid("--output type=" + type + " needs dest=PATH");
  }
  return output;
}

Result<local::BuildOptions> makeBuildOptions(const Arguments& arguments) {
  local::BuildOptions options;
  if (!arguments.has("--local")) {
    return invalid("give --local: builds in a cluster are ImageBuild objects");
  }
  if (arguments.positional().size() != 1) {
    return invalid(arguments.positional().empty() ? "a context is missing" : "one context only");
  }
  options.context = arguments.positional().front();
  for (const Arguments::Given& given : arguments.given()) {
    CHECK_OK(takeList(options, given.name, given.value));
  }
  options.dockerfile = arguments.last("-f", arguments.last("--file", ""));
  options.target = arguments.last("--target", "");
  if (const auto platform = arguments.last("--platform")) {
    TRY(options.platform, oci::parsePlatform(*platform));
  }
  options.noCache = arguments.has("--no-cache");
  options.pull = arguments.has("--pull");
  options.dockerFormat = arguments.has("--docker-format");
  options.metadataFile = arguments.last("--metadata-file", "");
  options.imageIdFile = arguments.last("--iidfile", "");
  options.cacheDirectory = arguments.last("--cache-dir", defaultCache());
  const std::string jobs = arguments.last("--jobs", "0");
  options.jobs = std::atoi(jobs.c_str());
  if (options.jobs < 0 || jobs.find_first_not_of("0123456789") != std::string::npos) {
    return invalid("--jobs: not a number: " + stagewright::quoted(jobs));
  }
  const bool quiet = arguments.has("-q") || arguments.has("--quiet");
  TRY(options.progress, parseProgress(quiet ? "quiet" : arguments.last("--progress", "auto")));
  CHECK_OK(checkOutputs(options, arguments.has("--push")));
  for (const std::string& tag : options.tags) {
    allowLoopback(options, tag);
  }
  for (const std::vector<plan::RegistryAccess> known = options.registries; const plan::RegistryAccess& access : known) {
    for (const std::string& mirror : access.mirrors) {
      allowLoopbackHost(options, mirror.substr(0, mirror.find('/')));  // no reference: HOST:PORT looks like NAME:TAG
    }
  }
  addCredentials(options);
  return options;
}

}  // namespace stagewright::cli
