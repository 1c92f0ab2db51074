#include "builder-pod/publish/saved_logs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "builder-pod/publish/run_directory.h"
#include "lib/compress/compressor.h"
#include "lib/plan/contract.h"
#include "lib/registry/client.h"

namespace stagewright::publish {

namespace {

constexpr int kMaxSavedAttempts = 100;
constexpr std::string_view kMediaEmpty = "application/vnd.oci.empty.v1+json";
constexpr std::string_view kEmpty = "{}";

class MemorySource final : public http::BodySource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const std::size_t n = bytes_.copy(buffer, size, at_);
    at_ += n;
    return n;
  }
  Status rewind() override {
    at_ = 0;
    return ok();
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

Result<std::string> compressed(std::string_view text) {
  std::size_t at = 0;
  const auto compressor = compress::Compressor::make(
      compress::Format::kGzip,
      [&](char* buffer, std::size_t size) -> Result<std::size_t> {
        const std::size_t n = text.copy(buffer, size, at);
        at += n;
        return n;
      },
      1);
  std::string out;
  while (true) {
    TRY(const std::string_view piece, compressor->next());
    if (piece.empty()) {
      return out;
    }
    out += piece;
  }
}

/// One push of the logs of one run.
class LogPush {
 public:
  LogPush(const PublishJob& job, registry::Client& client, oci::Repository target,
          std::stop_token stop)
      : job_(job), client_(client), target_(std::move(target)), stop_(std::move(stop)) {}

  Status run(Clock& clock) {
    TRY(const RunDirectory directory,
        RunDirectory::open(job_.runDirectory, job_.runId, job_.runKey));
    TRY(const plan::BuildPlan plan, directory.loadPlan(job_.prepareAttempt, job_.planDigest));
    CHECK_OK(addPrepare(directory));
    for (const plan::Stage& stage : plan.stages) {
      for (int attempt = 1; attempt <= kMaxSavedAttempts && directory.hasAttempt(stage.index, attempt);
           ++attempt) {
        CHECK_OK(addStage(directory, stage, attempt));
      }
    }
    return pushRun(formatTime(clock.now()));
  }

 private:
  Status addPrepare(const RunDirectory& directory) {
    const std::optional<std::string> log = directory.loadLog(-1, job_.prepareAttempt);
    return log ? add(*log, "prepare", "prepare", job_.prepareAttempt) : ok();
  }

  Status addStage(const RunDirectory& directory, const plan::Stage& stage, int attempt) {
    const std::optional<std::string> log = directory.loadLog(stage.index, attempt);
    return log ? add(*log, std::to_string(stage.index), stage.name, attempt) : ok();
  }

  Status add(const std::string& log, const std::string& stage, const std::string& name,
             int attempt) {
    TRY(const std::string bytes, compressed(log));
    TRY(Json layer, pushBlob(bytes, plan::kMediaLog));
    layer["annotations"] = {
        {plan::kLogStageAnnotation, stage},
        {plan::kLogNameAnnotation, name},
        {plan::kLogAttemptAnnotation, std::to_string(attempt)},
        {"org.opencontainers.image.title", stage + "-" + std::to_string(attempt) + ".log.gz"}};
    layers_.push_back(std::move(layer));
    return ok();
  }

  Result<Json> pushBlob(std::string_view bytes, std::string_view mediaType) {
    const registry::BlobDigest blob{oci::Digest::ofBytes(bytes),
                                    static_cast<std::int64_t>(bytes.size())};
    TRY(const bool known, client_.hasBlob(target_, blob.digest, stop_));
    if (!known) {
      MemorySource source(bytes);
      CHECK_OK(client_.pushBlob(target_, blob, source, stop_));
    }
    return Json{{"mediaType", mediaType}, {"digest", blob.digest.str()}, {"size", blob.size}};
  }

  Status pushRun(const std::string& time) {
    TRY(const Json config, pushBlob(kEmpty, kMediaEmpty));
    const Json manifest = {
        {"schemaVersion", 2},
        {"mediaType", oci::kMediaManifest},
        {"artifactType", plan::kMediaLogs},
        {"config", config},
        {"layers", layers_.empty() ? Json::array({config}) : layers_},
        {"annotations",
         {{plan::kLogRunAnnotation, job_.runId}, {"org.opencontainers.image.created", time}}}};
    const std::string bytes = dumpJson(manifest);
    const oci::Digest digest = oci::Digest::ofBytes(bytes);
    CHECK_OK(client_.pushManifest(target_, digest.str(), oci::kMediaManifest, bytes, stop_));
    const Json entry = {{"mediaType", oci::kMediaManifest},
                        {"digest", digest.str()},
                        {"size", bytes.size()},
                        {"artifactType", plan::kMediaLogs},
                        {"annotations", {{plan::kLogRunAnnotation, job_.runId}}}};
    TRY(const Json older, loadOlder());
    const Status pushed = pushIndex(entry, older);
    // The registry may have collected what the index still names.
    const bool collected = !pushed && (pushed.error().code == Code::kInvalid ||
                                       pushed.error().code == Code::kNotFound);
    return collected && !older.empty() ? pushIndex(entry, Json::array()) : pushed;
  }

  /// Entries of other runs in the present index.
  Result<Json> loadOlder() {
    oci::Reference reference;
    reference.repository = target_;
    reference.tag = job_.request.logs->tag;
    const Result<registry::FetchedManifest> present = client_.fetchManifest(reference, stop_);
    if (!present) {
      return present.error().code == Code::kNotFound ? Result<Json>(Json::array())
                                                     : Result<Json>(present.error());
    }
    const Result<Json> index = parseJson(present->bytes);
    if (!index || !index->is_object() || index->value("artifactType", "") != plan::kMediaLogs ||
        !index->contains("manifests") || !index->at("manifests").is_array()) {
      return conflict("tag " + stagewright::quoted(*reference.tag) +
                      " holds something else than logs");
    }
    Json out = Json::array();
    for (const Json& entry : index->at("manifests")) {
      const Json annotations = entry.is_object() ? entry.value("annotations", Json()) : Json();
      if (annotations.is_object() &&
          annotations.value(std::string(plan::kLogRunAnnotation), "") != job_.runId) {
        out.push_back(entry);
      }
    }
    return out;
  }

  Status pushIndex(const Json& entry, const Json& older) {
    Json entries = Json::array({entry});
    for (const Json& other : older) {
      if (entries.size() < static_cast<std::size_t>(job_.request.logs->keep)) {
        entries.push_back(other);
      }
    }
    const Json index = {{"schemaVersion", 2},
                        {"mediaType", oci::kMediaIndex},
                        {"artifactType", plan::kMediaLogs},
                        {"manifests", entries}};
    return client_.pushManifest(target_, job_.request.logs->tag, oci::kMediaIndex, dumpJson(index),
                                stop_);
  }

  const PublishJob& job_;
  registry::Client& client_;
  oci::Repository target_;
  std::stop_token stop_;
  Json layers_ = Json::array();
};

}  // namespace

Status pushLogs(const PublishJob& job, http::Transport& transport, Clock& clock,
                std::stop_token stop) {
  TRY(oci::Repository target, oci::parseRepository(job.request.repository));
  registry::Client client(transport, clock,
                          {hostConfigs(job.request.registries), job.pushCredentials, job.retry});
  return LogPush(job, client, std::move(target), std::move(stop)).run(clock);
}

}  // namespace stagewright::publish
