// Random days of random builds: pods progress in any order, nodes drain, the operator dies between
// any two writes and acts on stale views. Whatever happens, the build ends, and no attempt is
// created twice.
#include <gmock/gmock.h>

#include <random>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using testing::FakeCluster;

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed), cluster_(specFor(seed)) {
    cluster_.keepTerminating = chance(50);
    const int stages = 1 + pick(7);
    for (int i = 0; i < stages; ++i) {
      std::vector<int> upstream;
      for (int j = 0; j < i; ++j) {
        if (chance(40)) {
          upstream.push_back(j);
        }
      }
      edges_.push_back(std::move(upstream));
    }
  }

  /// `eventDriven`: the operator looks only when a pod or a log has changed, when a timer it asked
  /// for is due, or after a crash. Otherwise it looks whenever it likes.
  void run(bool eventDriven) {
    undisturbed_ = eventDriven;
    for (int step = 0; step < 6000 && !isFinished(); ++step) {
      const int what = pick(10);
      if (what < 4) {
        if (!eventDriven || dirty_ || (timer_ && cluster_.now >= *timer_)) {
          reconcile();
        }
      } else if (what < 8) {
        progress();
      } else {
        cluster_.pass(std::chrono::seconds(1 + pick(6)));
        removeTerminated();
        edit();
      }
    }
    ASSERT_TRUE(isFinished()) << cluster_.statusJson().dump(1);
    expectQuietEnd();
  }

  bool succeeded() { return cluster_.ready().status == api::Truth::kTrue; }

 private:
  static Json specFor(unsigned seed) {
    Json spec = testing::smallSpec();
    spec["workspace"]["accessMode"] = seed % 3 == 0 ? "ReadWriteMany" : "ReadWriteOnce";
    spec["execution"]["start"] = seed % 5 == 0 ? "WhenReady" : "Auto";
    if (seed % 3 == 1) {
      spec["execution"]["maxParallelStages"] = 1 + seed % 3;
    }
    spec["onInputChange"] = seed % 2 == 0 ? "FinishFirst" : "CancelAndRebuild";
    spec["retention"]["pods"] = seed % 4 == 0 ? "Never" : seed % 4 == 1 ? "Always" : "OnFailure";
    return spec;
  }

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  bool chance(int percent) { return pick(100) < percent; }
  bool isFinished() { return cluster_.status().conditions.isTrue("Finished"); }

  void reconcile() {
    dirty_ = false;
    timer_.reset();
    // A view from some steps ago, with the object of that time: its status write is a conflict
    // then.
    if (!undisturbed_ && chance(15) && old_) {
      dirty_ = true;  // what has happened since then will arrive
      const Decision decision = planBuild(old_->first, old_->second, cluster_.now);
      if (api::toJson(old_->first.status) != cluster_.statusJson() ||
          old_->first.metadata.generation != cluster_.build().metadata.generation) {
        return;
      }
      apply(decision);
      return;
    }
    const api::ImageBuild build = cluster_.build();
    World world = cluster_.world();
    if (chance(30)) {
      old_ = {build, world};
    }
    if (!undisturbed_ && chance(10)) {
      dirty_ = true;
      world.pods.erase(
          std::remove_if(world.pods.begin(), world.pods.end(),
                         [&](const ObservedPod&) { return chance(30); }),
          world.pods.end());  // events that have not arrived; what was seen once is confirmed first
    }
    apply(planBuild(build, world, cluster_.now));
  }

  void apply(const Decision& decision) {
    const auto before = cluster_.creates.size();
    const auto pods = cluster_.pods.size();
    const bool crash = !undisturbed_ && chance(30);
    cluster_.apply(decision, crash ? pick(4) : std::numeric_limits<int>::max());
    if (decision.requeueAfter) {
      timer_ = cluster_.now + *decision.requeueAfter;
    }
    // A new operator looks at everything; an old one hears of what it has created and deleted.
    dirty_ = dirty_ || crash || cluster_.creates.size() != before || cluster_.pods.size() != pods ||
             !decision.confirmAbsent.empty();
    for (const auto& [name, count] : cluster_.creates) {
      ASSERT_EQ(count, 1) << name;
    }
    expectOneActiveAttempt();
  }

  void expectOneActiveAttempt() {
    std::map<std::string, int> active;
    for (const auto& [name, pod] : cluster_.pods) {
      if (!pod.isTerminal() && !pod.deletionTimestamp) {
        ++active[pod.runId + "/" + pod.role + "/" + std::to_string(pod.stage)];
      }
    }
    for (const auto& [part, count] : active) {
      ASSERT_LE(count, 1) << part;
    }
  }

  /// A user who cannot leave it alone.
  void edit() {
    if (edits_ < 3 && chance(2)) {
      cluster_.edit({{"target", "edit" + std::to_string(++edits_)}});
      dirty_ = true;
    }
  }

  void removeTerminated() {
    const auto removed = std::erase_if(cluster_.pods, [&](const auto& entry) {
      return entry.second.deletionTimestamp && cluster_.now >= *entry.second.deletionTimestamp;
    });
    dirty_ = dirty_ || removed > 0;
  }

  bool isKnownToRun(const ObservedPod& pod) {
    const api::ImageBuildStatus status = cluster_.status();
    if (!status.run || status.run->id != pod.runId) {
      return false;
    }
    const auto index = static_cast<std::size_t>(pod.stage);
    const api::AttemptStatus* attempt = pod.role == "prepare"          ? &status.run->prepare
                                        : pod.role == "publish"        ? &status.run->publish
                                        : index < status.stages.size() ? &status.stages[index]
                                                                       : nullptr;
    return attempt != nullptr && attempt->attempt == pod.attempt &&
           attempt->state == api::AttemptState::kRunning;
  }

  void progress() {
    if (cluster_.pods.empty()) {
      return;
    }
    auto it = cluster_.pods.begin();
    std::advance(it, pick(static_cast<int>(cluster_.pods.size())));
    ObservedPod& pod = it->second;
    if (pod.isTerminal() || pod.deletionTimestamp) {
      return;
    }
    dirty_ = true;
    if (!pod.isRunning()) {
      pod.unschedulable.clear();
      if (chance(3)) {
        pod.unschedulable = "0/1 nodes are available: 1 Insufficient cpu.";
      } else {
        cluster_.run(pod);
      }
      return;
    }
    if (chance(3) && isKnownToRun(pod)) {
      cluster_.logs.erase(it->first);
      cluster_.pods.erase(it);  // kubectl delete pod, or its node's garbage collector
      return;
    }
    if (chance(4)) {
      cluster_.exit(pod, 143);
      pod.disruptionTarget = true;
      pod.disruptionReason = "EvictionByEvictionAPI";
      return;
    }
    if (chance(3)) {
      cluster_.exit(pod, 70);
      return;
    }
    advance(pod);
  }

  void advance(ObservedPod& pod) {
    if (pod.role == "prepare") {
      cluster_.say(pod, cluster_.planFrame(edges_));
      if (chance(50)) {
        cluster_.exit(pod, 0);
      }
    } else if (pod.role == "stage" && readsAreDone(pod)) {
      cluster_.exit(pod, chance(1) ? 10 : 0);
    } else if (pod.role == "publish" && allStagesDone(pod.runId)) {
      cluster_.say(pod, cluster_.imageFrame());
    }
  }

  /// A stage ends only when the very attempts it is pinned to have ended well.
  bool readsAreDone(const ObservedPod& pod) {
    const Json& env = cluster_.bodies.at(pod.name)["spec"]["containers"][0]["env"];
    for (const Json& entry : env) {
      if (entry["name"] != plan::kEnvUpstream) {
        continue;
      }
      const Json upstream = Json::parse(entry["value"].get<std::string>());
      for (const auto& [stage, attempt] : upstream.items()) {
        const std::string name =
            pods::podName("shop", pod.runId, stage, attempt["attempt"].get<int>());
        if (!done_.contains(name)) {
          const auto it = cluster_.pods.find(name);
          if (it == cluster_.pods.end() || it->second.phase != PodPhase::kSucceeded) {
            return false;
          }
          done_.insert(name);
        }
      }
    }
    return true;
  }

  bool allStagesDone(const std::string& runId) {
    std::set<int> done;
    for (const auto& [name, pod] : cluster_.pods) {
      if (pod.runId == runId && pod.role == "stage" && pod.phase == PodPhase::kSucceeded) {
        done.insert(pod.stage);
      }
    }
    return done.size() == edges_.size();
  }

  void expectQuietEnd() {
    cluster_.keepTerminating = false;
    cluster_.settle();
    const Json end = cluster_.statusJson();
    for (int i = 0; i < 3; ++i) {
      cluster_.pass(std::chrono::minutes(10));
      removeTerminated();
      const Decision decision = cluster_.reconcile();
      EXPECT_EQ(cluster_.statusJson(), end) << "no write after the end";
      EXPECT_TRUE(decision.actions.empty());
    }
    for (const auto& [name, pod] : cluster_.pods) {
      EXPECT_TRUE(pod.isTerminal() || succeeded()) << name;
      EXPECT_EQ(pod.runId, cluster_.runId());
    }
  }

  std::mt19937 random_;
  FakeCluster cluster_;
  std::vector<std::vector<int>> edges_;
  std::optional<std::pair<api::ImageBuild, World>> old_;
  bool dirty_ = true;
  bool undisturbed_ = false;
  std::optional<TimePoint> timer_;
  std::set<std::string> done_;
  int edits_ = 0;
};

TEST(Simulation, AlwaysEndsAndCreatesEachAttemptOnce) {
  int succeeded = 0;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kBuilds = 20;  // without optimisation and with checks: as long as 200 otherwise
#else
  constexpr int kBuilds = 200;
#endif
  for (unsigned seed = 1; seed <= kBuilds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation simulation(seed);
    simulation.run(seed % 2 == 0);
    if (::testing::Test::HasFailure()) {
      return;
    }
    succeeded += simulation.succeeded() ? 1 : 0;
  }
  EXPECT_GT(succeeded, kBuilds / 3) << "the days are not that bad";
}

/// The same build, killed after every possible number of writes of every single decision.
TEST(Simulation, CrashAtEveryWriteConvergesToTheSameEnd) {
  const std::vector<std::vector<int>> edges = {{}, {}, {0, 1}, {2}, {2, 3}};
  const auto play = [&](int crashAt) {
    FakeCluster cluster;
    int written = 0;
    const auto step = [&] {
      for (int i = 0; i < 20; ++i) {
        const Decision decision = planBuild(cluster.build(), cluster.world(), cluster.now);
        const bool changes = api::toJson(decision.status) != cluster.statusJson();
        const int writes = static_cast<int>(decision.actions.size()) + (changes ? 1 : 0);
        const int budget =
            written <= crashAt && crashAt < written + writes ? crashAt - written : 1000;
        written += writes;
        cluster.apply(decision, budget);
        if (writes == 0) {
          return;
        }
      }
    };
    step();
    cluster.run("prepare");
    step();
    cluster.say(cluster.pod("prepare"), cluster.planFrame(edges));
    cluster.exit("prepare", 0);
    step();
    cluster.run("publish");
    for (std::size_t i = 0; i < edges.size(); ++i) {
      cluster.run(std::to_string(i));
      step();
      cluster.exit(std::to_string(i), 0);
      step();
    }
    cluster.say(cluster.pod("publish"), cluster.imageFrame());
    step();
    EXPECT_EQ(cluster.ready().status, api::Truth::kTrue);
    EXPECT_TRUE(cluster.pods.empty());
    EXPECT_TRUE(cluster.claims.empty());
    for (const auto& [name, count] : cluster.creates) {
      EXPECT_EQ(count, 1) << name;
    }
    EXPECT_EQ(cluster.creates.size(), edges.size() + 2);
    return std::pair(cluster.statusJson(), written);
  };
  const auto [end, writes] = play(-1);
  EXPECT_GT(writes, 15);
  for (int crash = 0; crash < writes; ++crash) {
    SCOPED_TRACE("crash at write " + std::to_string(crash));
    EXPECT_EQ(play(crash).first, end);
  }
}

}  // namespace
}  // namespace stagewright::lifecycle
