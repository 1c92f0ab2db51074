#include "local/planning.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/parser.h"
#include "local/image_archive.h"

namespace stagewright::local {

namespace {

constexpr std::string_view kImageScheme = "docker-image://";
constexpr std::string_view kLayoutScheme = "oci-layout://";
constexpr std::array<std::string_view, 2> kArchiveSchemes = {"docker-archive://", "oci-archive://"};
constexpr int kMaxRounds = 16;  // of ONBUILD triggers that name images with ONBUILD triggers

oci::Platform machinePlatform() {
  utsname names{};
  const bool known = ::uname(&names) == 0;
  auto platform = oci::parsePlatform(std::string("linux/") + (known ? names.machine : "amd64"));
  return platform ? *platform : oci::Platform{};
}

/// Splits `DIR:tag` or `DIR@digest`.
std::string splitLayout(std::string& directory) {
  const std::size_t slash = directory.rfind('/');
  const std::size_t mark = directory.find_first_of(":@", slash == std::string::npos ? 0 : slash);
  if (mark == std::string::npos) {
    return "";
  }
  std::string rest = directory.substr(mark);
  directory.resize(mark);
  return rest;
}

std::string_view findLayoutScheme(const std::string& value) {
  if (value.starts_with(kLayoutScheme)) {
    return kLayoutScheme;
  }
  const auto found = std::find_if(kArchiveSchemes.begin(), kArchiveSchemes.end(),
                                  [&](std::string_view scheme) { return value.starts_with(scheme); });
  return found == kArchiveSchemes.end() ? std::string_view() : *found;
}

class NamedContexts {
 public:
  NamedContexts(Store& store, http::Transport& transport, Contexts& contexts, ImageSources& sources, std::stop_token stop)
      : store_(store), transport_(transport), contexts_(contexts), sources_(sources), stop_(std::move(stop)) {}

  Result<plan::NamedContext> open(const std::string& name, const std::string& value) {
    plan::NamedContext context;
    context.name = name;
    if (value == "docker-image://scratch") {
      context.kind = plan::NamedContext::Kind::kScratch;
    } else if (value.starts_with(kImageScheme)) {
      context.kind = plan::NamedContext::Kind::kImage;
      context.image = value.substr(kImageScheme.size());
    } else if (const auto scheme = findLayoutScheme(value); !scheme.empty()) {
      std::string directory = value.substr(scheme.size());
      const std::string rest = splitLayout(directory);
      if (scheme != kLayoutScheme) {
        auto unpacked = openImageArchive(directory, store_, stop_);
        if (!unpacked) {
          return std::move(unpacked).error().during("--build-context " + name);
        }
        directory = std::move(*unpacked);
      }
      const std::string host = "layout" + std::to_string(sources_.size()) + "." + std::string(kLayoutHost);
      context.kind = plan::NamedContext::Kind::kImage;
      context.image = host + "/image" + rest;
      sources_.emplace(host, std::make_unique<LayoutSource>(host + "/image", directory));
    } else {
      TRY(const std::string directory, openContextDirectory(value, store_, transport_, stop_));
      TRY(dockerfile::IgnoreMatcher ignore, loadIgnoreFile(directory, ""));
      contexts_[name] = std::make_unique<Context>(store_, directory, std::move(ignore));
    }
    return context;
  }

 private:
  Store& store_;
  http::Transport& transport_;
  Contexts& contexts_;
  ImageSources& sources_;
  std::stop_token stop_;
};

Result<plan::KnownImages> resolveImages(const plan::PlanInput& input, const ImageSources& sources, Progress& progress,
                                        std::stop_token stop) {
  plan::KnownImages known;
  for (int round = 0; round < kMaxRounds; ++round) {
    TRY(const std::vector<plan::NeededImage> needed, plan::neededImages(input, known));
    if (needed.empty()) {
      return known;
    }
    for (const plan::NeededImage& image : needed) {
      const int vertex = progress.begin("[internal] load metadata for " + image.name);
      auto found = sourceFor(sources, image.name).fetchImage(image.name, image.platform, stop);
      progress.end(vertex, found ? Progress::End::kDone : Progress::End::kFailed);
      if (!found) {
        return plan::imageError(input, image, std::move(found).error().during("base image " + stagewright::quoted(image.name)));
      }
      known.emplace(image.key, std::move(*found));
    }
  }
  return invalid("the ONBUILD triggers of its base images name images without end");
}

}  // namespace

ImageSource& sourceFor(const ImageSources& sources, const std::string& reference) {
  const auto found = sources.find(reference.substr(0, reference.find('/')));
  return found != sources.end() ? *found->second : *sources.at("");
}

Result<Planning> makePlan(const BuildOptions& options, const BuildInput& input, Store& store,
                          http::Transport& transport, Contexts& contexts, ImageSources& sources, Progress& progress,
                          std::stop_token stop) {
  Planning planning;
  planning.input.source = input.dockerfile;
  TRY(planning.input.file, dockerfile::parseDockerfile(planning.input.source));
  planning.input.buildArgs = options.buildArgs;
  planning.input.labels = options.labels;
  planning.input.target = options.target;
  planning.input.buildPlatform = machinePlatform();
  planning.input.platform = options.platform.value_or(planning.input.buildPlatform);
  planning.input.ignore = input.hasIgnoreFile ? &input.ignore : nullptr;
  NamedContexts named(store, transport, contexts, sources, stop);
  for (const auto& [name, value] : options.contexts) {
    TRY(plan::NamedContext context, named.open(name, value));
    planning.input.contexts.push_back(std::move(context));
  }
  TRY(const plan::KnownImages images, resolveImages(planning.input, sources, progress, stop));
  TRY(planning.plan, plan::planBuild(planning.input, images));
  return planning;
}

}  // namespace stagewright::local
