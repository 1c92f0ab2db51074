#include "builder-pod/prepare/layer_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/guarded.h"
#include "lib/plan/cache_entry.h"
#include "lib/plan/contract.h"

namespace stagewright::prepare {

namespace {

constexpr std::size_t kLookups = 8;

struct Question {
  int stage = 0;
  int step = 0;
  std::string key;
};

std::vector<Question> questionsOf(const plan::BuildPlan& plan) {
  std::vector<Question> out;
  for (const plan::Stage& stage : plan.stages) {
    for (std::size_t i = 0; i < stage.steps.size(); ++i) {
      out.push_back({stage.index, static_cast<int>(i), stage.steps[i].contentKey});
    }
  }
  return out;
}

}  // namespace

plan::CachedLayers LayerCache::find(const plan::BuildPlan& plan) {
  const std::vector<Question> questions = questionsOf(plan);
  struct Answers {
    plan::CachedLayers layers;
    std::optional<Error> trouble;
  };
  Guarded<Answers> answers;
  std::atomic<std::size_t> next{0};  // hands each question to exactly one thread
  const auto work = [&] {
    for (std::size_t i = next++; i < questions.size(); i = next++) {
      const Question& question = questions[i];
      const oci::Reference reference{repository_, plan::cacheTag(question.key), std::nullopt};
      const auto fetched = client_.fetchManifest(reference, stop_);
      if (!fetched && fetched.error().code != Code::kNotFound) {
        answers.lock()->trouble = fetched.error();
        return;  // a cache that does not answer is not worth more waiting
      }
      const auto manifest =
          fetched ? oci::parseManifest(fetched->bytes) : Result<oci::Manifest>(fetched.error());
      if (auto layer = manifest ? plan::readCacheEntry(*manifest, question.key) : std::nullopt) {
        answers.lock()->layers.emplace(std::pair(question.stage, question.step), *layer);
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(kLookups, questions.size()); ++i) {
      threads.emplace_back(work);
    }
    work();
  }
  auto result = answers.lock();
  if (result->trouble) {
    tell_("cache: cannot read " + repository_.str() +
          ", building without: " + result->trouble->message);
    return {};
  }
  return result->layers;
}

Status LayerCache::fetch(const plan::LayerStep& layer, const std::string& directory) {
  const std::string path = directory + "/" + plan::cachedLayerName(layer.blob.digest.hex());
  struct stat st {};
  if (::lstat(path.c_str(), &st) == 0) {
    return ok();  // two steps with equal layers
  }
  const std::string part = path + ".part";
  const Fd file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) {
    return systemError("open", part, errno);
  }
  const Status fetched = client_.fetchBlob(
      repository_, layer.blob,
      [&](std::string_view bytes) { return writeAll(file.get(), bytes, part); }, stop_);
  if (!fetched) {
    ::unlink(part.c_str());
    return fetched;
  }
  return ::rename(part.c_str(), path.c_str()) == 0 ? ok() : systemError("rename", part, errno);
}

}  // namespace stagewright::prepare
