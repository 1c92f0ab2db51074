// A run's directory as prepare and the stages leave it, and a clock on which things happen.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "builder-pod/publish/publication.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/seal.h"
#include "lib/plan/contract.h"
#include "lib/plan/plan.h"
#include "lib/plan/report.h"

namespace stagewright::publish {

/// Each sleep runs the next event: what the world does while publish waits. Without events left it
/// stops the wait.
class EventClock final : public Clock {
 public:
  TimePoint now() const override { return TimePoint(std::chrono::seconds(1'700'000'000)); }
  SteadyPoint steadyNow() const override { return SteadyPoint(elapsed_.lock()->time); }
  bool sleepFor(Millis duration, std::stop_token stop) override {
    std::function<void()> event;
    {
      auto state = elapsed_.lock();
      state->time += duration;
      if (!state->events.empty()) {
        event = std::move(state->events.front());
        state->events.erase(state->events.begin());
      } else if (++state->idle > 1000) {
        return false;
      }
    }
    if (event) {
      event();
    }
    return !stop.stop_requested();
  }
  void then(std::function<void()> event) { elapsed_.lock()->events.push_back(std::move(event)); }

 private:
  struct State {
    Millis time{0};
    int idle = 0;
    std::vector<std::function<void()>> events;
  };
  mutable Guarded<State> elapsed_;
};

inline constexpr char kRunId[] = "k3v9q2m7xa";

class RunFixture {
 public:
  RunFixture() {
    std::string pattern = ::testing::TempDir() + "run-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~RunFixture() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  const std::string& key() const { return key_; }

  void writePlan(const plan::BuildPlan& plan) {
    const std::string text = plan::serializePlan(plan);
    planDigest_ = oci::Digest::ofBytes(text);
    write(relative(plan::preparePath(kRunId, 1)) + "/plan.json", text);
    for (const plan::Stage& stage : plan.stages) {
      for (int attempt = 1; attempt <= 2; ++attempt) {
        std::filesystem::create_directories(path_ + "/" + stagePath(stage.index, attempt) +
                                            "/layers");
      }
    }
  }
  const oci::Digest& planDigest() const { return planDigest_; }

  /// The tar, then its seal, as the executor does it.
  plan::LayerReport writeLayer(int stage, int attempt, int step, const std::string& tar) {
    plan::LayerReport report;
    report.step = step;
    report.diffId = oci::Digest::ofBytes(tar);
    report.size = static_cast<std::int64_t>(tar.size());
    write(stagePath(stage, attempt) + "/" + plan::layerPath(step), tar);
    write(stagePath(stage, attempt) + "/" + plan::layerSealPath(step),
          seal(key_, stage, attempt, "layer", dumpJson(plan::toJson(report))));
    return report;
  }
  void writeReport(const plan::StageReport& report) { writeReport(report, key_); }
  void writeReport(const plan::StageReport& report, const std::string& runKey) {
    write(stagePath(report.stage, report.attempt) + "/" + std::string(plan::kReportFile),
          seal(runKey, report.stage, report.attempt, "report", dumpJson(plan::toJson(report))));
  }
  static plan::StageReport success(int stage, int attempt, std::map<int, int> upstream,
                                   std::vector<plan::LayerReport> layers) {
    plan::StageReport report;
    report.stage = stage;
    report.attempt = attempt;
    report.succeeded = true;
    report.upstream = std::move(upstream);
    report.layers = std::move(layers);
    return report;
  }
  void writeLog(int stage, int attempt, const std::string& text) {
    write((stage < 0 ? relative(plan::preparePath(kRunId, attempt)) : stagePath(stage, attempt)) +
              "/" + std::string(plan::kLogFile),
          text);
  }
  std::string stagePath(int stage, int attempt) const {
    return relative(plan::stagePath(kRunId, stage, attempt));
  }
  void write(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(path_ + "/" + name).parent_path());
    ASSERT_TRUE(saveFileAtomically(path_ + "/" + name, bytes));
  }

 private:
  static std::string relative(const std::string& path) {
    return path.substr(plan::runPath(kRunId).size() + 1);
  }
  static std::string seal(const std::string& runKey, int stage, int attempt, std::string_view kind,
                          const std::string& body) {
    const std::string role = std::to_string(stage);
    return sealText(attemptKey(runKey, role, attempt), SealScope{kRunId, role, attempt}, kind,
                    body);
  }

  std::string path_;
  std::string key_ = std::string(32, 'k');
  oci::Digest planDigest_;
};

}  // namespace stagewright::publish
