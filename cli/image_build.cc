#include "cli/image_build.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/compress/compressor.h"

namespace stagewright::cli {

namespace {

constexpr char kCreated[] =
    "1970-01-01T00:00:00Z";  // the time of packing is no property of the content
constexpr int kThreads = 2;

std::pair<std::string, std::string> splitAtColon(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  return colon == std::string::npos ? std::pair(text, std::string())
                                    : std::pair(text.substr(0, colon), text.substr(colon + 1));
}

/// The source's own absolute path, unless told otherwise.
Status addTree(const std::string& value, ImageContent& content) {
  auto [source, destination] = splitAtColon(value);
  if (destination.empty()) {
    destination = std::filesystem::absolute(source).lexically_normal().string();
  }
  return content.addTree(source, destination);
}

/// Programs of the system keep their path, others go to /usr/bin.
Status addProgram(const std::string& value, ImageContent& content) {
  auto [source, destination] = splitAtColon(value);
  if (destination.empty()) {
    destination = source.starts_with("/usr/")
                      ? source
                      : "/usr/bin/" + std::filesystem::path(source).filename().string();
  }
  return content.addProgram(source, destination);
}

Status addDirectoryOption(const std::string& value, ImageContent& content) {
  const auto [path, text] = splitAtColon(value);
  unsigned mode = 0755;
  if (!text.empty()) {
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (ec != std::errc() || end != text.data() + text.size() || mode > 07777) {
      return invalid("--directory: mode " + stagewright::quoted(text, 32) + " is not octal");
    }
  }
  return content.addDirectory(path, mode);
}

/// One content per group: --layer begins the next.
Result<std::vector<ImageContent>> readContents(const Arguments& arguments) {
  std::vector<ImageContent> contents(1);
  for (const Arguments::Given& given : arguments.given()) {
    ImageContent& content = contents.back();
    if (given.name == "--layer") {
      contents.emplace_back();
    } else if (given.name == "--add") {
      CHECK_OK(addTree(given.value, content));
    } else if (given.name == "--binary") {
      CHECK_OK(addProgram(given.value, content));
    } else if (given.name == "--directory") {
      CHECK_OK(addDirectoryOption(given.value, content));
    } else if (given.name == "--ca-certificates") {
      CHECK_OK(content.addCaCertificates());
    }
  }
  if (contents.size() > 1) {
    std::erase_if(contents, [](const ImageContent& content) { return content.empty(); });
  }
  return contents;
}

Result<std::vector<std::string>> parseList(std::string_view option, const std::string& text) {
  const Result<Json> json = parseJson(text);
  if (!json || !json->is_array()) {
    return invalid(std::string(option) + " must be a JSON list of strings: [\"/usr/bin/app\"]");
  }
  std::vector<std::string> list;
  for (const Json& item : *json) {
    if (!item.is_string()) {
      return invalid(std::string(option) + " must hold strings only");
    }
    list.push_back(item.get<std::string>());
  }
  return list;
}

Result<oci::Platform> machinePlatform(const Arguments& arguments) {
  utsname machine{};
  ::uname(&machine);
  return oci::parsePlatform(arguments.last("--platform", "linux/" + std::string(machine.machine)));
}

Result<oci::ImageConfig> readConfig(const Arguments& arguments) {
  oci::ImageConfig config;
  config.created = kCreated;
  TRY(config.platform, machinePlatform(arguments));
  config.user = arguments.last("--user", "");
  config.workingDir = arguments.last("--workdir", "");
  for (const Arguments::Given& given : arguments.given()) {
    if (given.name == "--entrypoint") {
      TRY(config.entrypoint, parseList(given.name, given.value));
    } else if (given.name == "--cmd") {
      TRY(config.cmd, parseList(given.name, given.value));
    } else if (given.name == "--env" || given.name == "--label") {
      const std::size_t equals = given.value.find('=');
      if (equals == std::string::npos || equals == 0) {
        return invalid(std::string(given.name) + " must look like NAME=VALUE");
      }
      if (given.name == "--env") {
        config.env.push_back(given.value);
      } else {
        config.labels[given.value.substr(0, equals)] = given.value.substr(equals + 1);
      }
    }
  }
  return config;
}

/// The tar into a file; gives the diffId.
Result<oci::Digest> writeTar(const ImageContent& content, const std::string& path) {
  const Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out) {
    return systemError("open", path, errno);
  }
  layer::HashingFileSink sink(out.get(), path);
  CHECK_OK(content.write(sink));
  CHECK_OK(sink.finish());
  return oci::Digest::ofSha256Hex(sink.sha256Hex());
}

Result<oci::Descriptor> compressFile(const std::string& from, const std::string& to) {
  const Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  const Fd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!in || !out) {
    return systemError("open", to, errno);
  }
  auto compressor = compress::Compressor::make(compress::Format::kGzip,
                                               compress::readerOf(in.get(), from), kThreads);
  while (true) {
    TRY(std::string_view piece, compressor->next());
    if (piece.empty()) {
      break;
    }
    CHECK_OK(writeAll(out.get(), piece, to));
  }
  oci::Descriptor layer;
  layer.mediaType = oci::kMediaLayerGzip;
  layer.digest = oci::Digest::ofSha256Hex(compressor->summary().sha256);
  layer.size = compressor->summary().size;
  return layer;
}

}  // namespace

const std::vector<Option>& contentOptions() {
  static const std::vector<Option> kOptions = {
      {"--add", "SRC[:DST]", "a file, link or directory; DST is absolute, default SRC's own path"},
      {"--binary", "SRC[:DST]",
       "a program with the shared libraries it needs; default /usr/bin/<name>"},
      {"--directory", "DST[:MODE]", "an empty directory, as /tmp:1777"},
      {"--ca-certificates", "", "the system's certificate authorities"},
      {"--layer", "", "begin another layer with what follows"},
      {"--base", "none", "what the image stands on: nothing"},
      {"--entrypoint", "JSON", "[\"/usr/bin/app\", \"serve\"]"},
      {"--cmd", "JSON", "default arguments"},
      {"--user", "UID[:GID]", "who runs it"},
      {"--workdir", "DIR", "where it runs"},
      {"--env", "NAME=VALUE", "environment"},
      {"--label", "NAME=VALUE", "label"},
      {"--platform", "OS/ARCH", "default: this machine's"},
  };
  return kOptions;
}

Result<BuiltImage> buildImage(const Arguments& arguments, const WorkDirectory& work) {
  if (arguments.last("--base", "none") != "none") {
    return invalid("--base: only none");
  }
  TRY(std::vector<ImageContent> contents, readContents(arguments));
  TRY(oci::ImageConfig config, readConfig(arguments));
  BuiltImage image;
  for (const ImageContent& content : contents) {
    const std::string name = std::to_string(image.layerFiles.size());
    TRY(oci::Digest diffId, writeTar(content, work.file(name + ".tar")));
    TRY(oci::Descriptor layer, compressFile(work.file(name + ".tar"), work.file(name + ".tar.gz")));
    config.diffIds.push_back(std::move(diffId));
    config.history.push_back({kCreated, "stagewright image", "", "", false});
    image.parsed.layers.push_back(std::move(layer));
    image.layerFiles.push_back(work.file(name + ".tar.gz"));
  }
  image.config = oci::serializeImageConfig(config);
  image.parsed.config.mediaType = oci::kMediaConfig;
  image.parsed.config.digest = oci::Digest::ofBytes(image.config);
  image.parsed.config.size = static_cast<std::int64_t>(image.config.size());
  image.manifest = oci::serializeManifest(image.parsed);
  return image;
}

}  // namespace stagewright::cli
