// What a local build is asked to do: the flags of `stagewright build --local`, parsed.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/compress/compressor.h"
#include "lib/oci/manifest.h"
#include "lib/plan/request.h"
#include "lib/registry/credentials.h"

namespace stagewright::local {

/// One --output.
struct Output {
  enum class Type {
    kRegistry,  ///< pushed under every tag
    kOci,       ///< an OCI layout in a tar archive, or a directory with tar=false
    kDocker,    ///< what `docker load` reads
    kTar,       ///< the root file system as one tar archive
    kLocal,     ///< the root file system as a directory
  };
  Type type = Type::kRegistry;
  std::string destination;  ///< a path; `-` is standard output (archives only)
  bool tar = true;          ///< kOci: an archive, not a directory
  std::optional<compress::Format> layerFormat;
};

/// --secret: exactly one of the two is set.
struct SecretSource {
  std::string file;
  std::string variable;
};

/// One --cache-from or --cache-to.
struct CacheLocation {
  enum class Type { kRegistry, kDirectory, kInline };
  Type type = Type::kRegistry;
  std::string place;         ///< a reference or a directory; of kInline nothing
  bool everyStage = false;   ///< mode=max
  bool mayFail = false;      ///< ignore-error
};

enum class ProgressStyle { kAuto, kPlain, kTty, kJson, kQuiet };

struct BuildOptions {
  std::string context;                   ///< a directory, `-` (tar on standard input), a git or http URL
  std::string dockerfile;                ///< -f; empty: Dockerfile of the context; `-`: standard input
  std::vector<std::string> tags;         ///< complete references
  std::string target;
  std::vector<std::pair<std::string, std::string>> buildArgs;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<std::string, std::string>> annotations;
  std::vector<std::pair<std::string, std::string>> contexts;  ///< --build-context NAME=VALUE
  std::map<std::string, SecretSource> secrets;
  std::map<std::string, std::string> sshSockets;  ///< id -> socket
  std::optional<oci::Platform> platform;
  std::set<std::string> entitlements;    ///< --allow: network.host, security.insecure
  bool noCache = false;
  std::vector<CacheLocation> cacheFrom;
  std::vector<CacheLocation> cacheTo;
  bool pull = false;
  bool checkOnly = false;
  std::vector<Output> outputs;
  std::string metadataFile;
  std::string imageIdFile;
  std::vector<plan::RegistryAccess> registries;
  registry::Credentials credentials;
  int jobs = 0;                          ///< stages at a time; 0: all that are ready
  ProgressStyle progress = ProgressStyle::kAuto;
  std::string cacheDirectory;            ///< of the local store
  bool dockerFormat = false;             ///< media types of Docker instead of OCI's
  compress::Format layerFormat = compress::Format::kGzip;  ///< of new layers, for all outputs
};

}  // namespace stagewright::local
