#include "lib/schedule/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stagewright::schedule {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Stage waiting(std::vector<int> dependsOn, int baseStage = -1) {
  Stage stage;
  stage.dependsOn = std::move(dependsOn);
  stage.baseStage = baseStage;
  return stage;
}

Stage in(State state, int attempt, std::map<int, int> upstream, std::vector<int> dependsOn = {}) {
  Stage stage = waiting(std::move(dependsOn));
  stage.state = state;
  stage.attempt = attempt;
  stage.upstream = std::move(upstream);
  return stage;
}

TEST(NextSteps, StartsAllRootsAtOnce) {
  const std::vector<Stage> stages = {waiting({}), waiting({}), waiting({0, 1})};
  EXPECT_THAT(nextSteps(stages, Start::kEager).start, ElementsAre(0, 1));
  EXPECT_THAT(nextSteps(stages, Start::kWhenReady).start, ElementsAre(0, 1));
}

TEST(NextSteps, EagerStartsDependentsOfRunningStages) {
  const std::vector<Stage> stages = {in(State::kRunning, 1, {}), in(State::kStarting, 1, {}),
                                     waiting({0}), waiting({0, 1})};
  EXPECT_THAT(nextSteps(stages, Start::kEager).start, ElementsAre(2));
  EXPECT_THAT(nextSteps(stages, Start::kWhenReady).start, IsEmpty());
}

TEST(NextSteps, WhenReadyWaitsForSuccess) {
  const std::vector<Stage> stages = {in(State::kSucceeded, 1, {}), in(State::kRunning, 1, {}),
                                     waiting({0}), waiting({1})};
  EXPECT_THAT(nextSteps(stages, Start::kWhenReady).start, ElementsAre(2));
}

TEST(NextSteps, HeldStageStartsNothing) {
  const std::vector<Stage> stages = {in(State::kHeld, 1, {}), waiting({0})};
  const NextSteps next = nextSteps(stages, Start::kEager);
  EXPECT_THAT(next.start, IsEmpty());
  EXPECT_THAT(next.drop, IsEmpty());
}

TEST(NextSteps, DropsTheWholeChainThatWaitsForAnEndedAttempt) {
  const std::vector<Stage> stages = {
      in(State::kWaiting, 1, {}),               // ended, may start again
      in(State::kRunning, 1, {{0, 1}}, {0}),    // waits for it
      in(State::kStarting, 1, {{1, 1}}, {1}),   // waits for the one that waits
      in(State::kSucceeded, 1, {{0, 1}}, {0}),  // was built from its files
      in(State::kRunning, 1, {}),               // has nothing to do with it
  };
  const NextSteps next = nextSteps(stages, Start::kEager);
  EXPECT_THAT(next.drop, ElementsAre(1, 2, 3));
  EXPECT_THAT(next.start, IsEmpty()) << "0 must not start while 1 waits for its old attempt";
}

TEST(NextSteps, StartsAgainWhenTheDependentsAreGone) {
  const std::vector<Stage> stages = {in(State::kWaiting, 1, {}),
                                     in(State::kWaiting, 1, {{0, 1}}, {0})};
  const NextSteps next = nextSteps(stages, Start::kEager);
  EXPECT_THAT(next.drop, IsEmpty());
  EXPECT_THAT(next.start, ElementsAre(0));
}

TEST(NextSteps, DropsWhoIsPinnedToAnOlderAttempt) {
  const std::vector<Stage> stages = {in(State::kRunning, 2, {}),
                                     in(State::kRunning, 1, {{0, 1}}, {0})};
  EXPECT_THAT(nextSteps(stages, Start::kEager).drop, ElementsAre(1));
}

TEST(NextSteps, KeepsToItsPlaces) {
  const std::vector<Stage> stages = {in(State::kRunning, 1, {}),   in(State::kStarting, 1, {}),
                                     in(State::kSucceeded, 1, {}), in(State::kHeld, 1, {}),
                                     waiting({}),                  waiting({0}),
                                     waiting({2})};
  EXPECT_THAT(nextSteps(stages, Start::kEager, 0).start, ElementsAre(4, 5, 6));
  EXPECT_THAT(nextSteps(stages, Start::kEager, 2).start, IsEmpty());
  EXPECT_THAT(nextSteps(stages, Start::kEager, 4).start, ElementsAre(4, 5));
}

TEST(PinsOf, HoldTheWholeBaseChain) {
  std::vector<Stage> stages = {in(State::kSucceeded, 2, {}), in(State::kRunning, 1, {{0, 2}}, {0}),
                               in(State::kRunning, 3, {}), waiting({1, 2}, 1)};
  stages[1].baseStage = 0;
  EXPECT_THAT(readsOf(stages, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(pinsOf(stages, 3), ElementsAre(Pair(0, 2), Pair(1, 1), Pair(2, 3)));
}

TEST(NextSteps, WaitsForTheBaseOfItsBase) {
  std::vector<Stage> stages = {in(State::kStarting, 1, {}), in(State::kRunning, 1, {{0, 1}}, {0}),
                               waiting({1}, 1)};
  stages[1].baseStage = 0;
  EXPECT_THAT(nextSteps(stages, Start::kEager).start, IsEmpty());
}

}  // namespace
}  // namespace stagewright::schedule
