#include "builder-pod/prepare/base_images.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "builder-pod/prepare/words.h"
#include "lib/oci/reference.h"

namespace stagewright::prepare {

namespace {

constexpr std::size_t kParallel = 8;
constexpr int kMaxRounds = 16;  // of ONBUILD triggers that name images with ONBUILD triggers

Result<plan::BaseImage> fetchOne(const plan::NeededImage& image, registry::Client& client,
                                 std::stop_token stop) {
  TRY(const oci::Reference reference, oci::parseReference(image.name));
  TRY(const registry::ResolvedImage resolved, client.resolveImage(reference, image.platform, stop));
  TRY(oci::ImageConfig config, client.fetchConfig(reference.repository, resolved.manifest, stop));
  if (config.diffIds.size() != resolved.manifest.layers.size()) {
    return unavailable("its manifest and its config disagree about the number of layers");
  }
  return plan::BaseImage{reference.pinned(resolved.digest), std::move(config),
                         resolved.manifest.layers};
}

/// All of one round. Every one is waited for, so that nothing outlives the call.
std::vector<std::optional<Result<plan::BaseImage>>> fetchRound(
    const std::vector<plan::NeededImage>& images, registry::Client& client, const Narrator& tell,
    std::stop_token stop) {
  std::vector<std::optional<Result<plan::BaseImage>>> results(images.size());
  std::vector<Millis> times(images.size());
  std::atomic<std::size_t> next{0};  // hands each index to exactly one thread
  const auto work = [&] {
    for (std::size_t i = next++; i < images.size(); i = next++) {
      const Stopwatch watch;
      results[i] = fetchOne(images[i], client, stop);
      times[i] = watch.elapsed();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(kParallel, images.size()); ++i) {
      threads.emplace_back(work);
    }
    work();
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (*results[i]) {
      tell("base image " + images[i].name + " " + images[i].platform.str() + " is " +
           (**results[i]).reference + " (" + seconds(times[i]) + ")");
    }
  }
  return results;
}

std::string registryOf(const std::string& name) {
  const auto reference = oci::parseReference(name);
  return reference ? reference->repository.registry : name;
}

/// What the user can do about it.
std::string hintFor(const Error& cause, const PullCredentials& credentials) {
  if (cause.code == Code::kDenied && !credentials.missing.empty()) {
    return "; imagePullSecrets[" + std::to_string(credentials.missing.front()) + "] does not exist";
  }
  if (cause.code == Code::kDenied && credentials.credentials.empty()) {
    return "; name a Secret in spec.imagePullSecrets (many registries answer so for an image that "
           "does not exist)";
  }
  if (cause.code == Code::kInvalid) {
    return "; how a registry is reached is said in spec.registries";
  }
  return "";
}

Refusal refusalFor(const plan::PlanInput& input, const plan::NeededImage& image, const Error& cause,
                   const PullCredentials& credentials) {
  const std::string what =
      "base image " + quoted(image.name) + ", registry " + registryOf(image.name) + ": ";
  Error shown = cause;
  shown.message = what + cause.message + hintFor(cause, credentials);
  const Error error = plan::imageError(input, image, std::move(shown));
  // A bare word that is nearly a stage's name and no image we can have is a misspelt stage, whatever the registry says.
  const bool isMisspelt =
      !image.suggestion.empty() && image.name.find_first_of("/:.@") == std::string::npos;
  const bool isNameWrong = isMisspelt || !oci::parseReference(image.name);
  Refusal refusal;
  if (isNameWrong) {
    refusal = refuseInput("DockerfileInvalid", error.message);
  } else if (cause.code == Code::kNotFound) {
    refusal = refuseInput("BaseImageNotFound", error.message);
  } else if (cause.code == Code::kDenied) {
    refusal = refuse(plan::Exit::kDenied, "BaseImageUnauthorized", error.message);
  } else if (cause.code == Code::kUnavailable || cause.code == Code::kInvalid) {
    // An answer that makes no sense, or a certificate that does not verify, may be a proxy's and go
    // away.
    refusal = refuse(plan::Exit::kUnavailable, "RegistryUnavailable", error.message);
  } else {
    refusal = refuse(plan::Exit::kInternal, "InternalError", error.message);
  }
  refusal.failure.line = image.where.line;
  return refusal;
}

}  // namespace

Outcome<plan::KnownImages> fetchBaseImages(const plan::PlanInput& input, registry::Client& client,
                                           const PullCredentials& credentials, const Narrator& tell,
                                           std::stop_token stop) {
  plan::KnownImages known;
  for (int round = 0; round < kMaxRounds; ++round) {
    TRY_OR(const std::vector<plan::NeededImage> needed, plan::neededImages(input, known), error,
           refuseDockerfile(error));
    if (needed.empty()) {
      return known;
    }
    auto results = fetchRound(needed, client, tell, stop);
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (!*results[i]) {
        return refusalFor(input, needed[i], results[i]->error(), credentials);
      }
      known.emplace(needed[i].key, std::move(**results[i]));
    }
  }
  return refuseInput("DockerfileInvalid",
                     "the ONBUILD triggers of its base images name images without end");
}

}  // namespace stagewright::prepare
