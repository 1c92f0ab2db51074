#include "builder-pod/prepare/build_args.h"

#include "fixtures.h"
#include "gmock/gmock.h"

namespace stagewright::prepare {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using namespace stagewright::prepare::testing;  // NOLINT

class BuildArgs : public ::testing::Test {
 protected:
  plan::Failure failure() {
    const auto outcome = loadBuildArgs(root_, request_);
    EXPECT_FALSE(outcome);
    return outcome ? plan::Failure{} : outcome.error().failure;
  }

  TemporaryDirectory directory_;
  std::string root_ = directory_.directory("args");
  plan::BuildRequest request_ = [] {
    plan::BuildRequest request;
    request.buildArgs = {{"A", "1"}};
    request.buildArgFiles = {{"B", "key \"b\" of ConfigMap \"env\""}};
    return request;
  }();
};

TEST_F(BuildArgs, AreTakenAsTheyAre) {
  writeFile(root_ + "/B", " two\n");
  ASSERT_TRUE(loadBuildArgs(root_, request_));
  EXPECT_THAT(request_.buildArgs, ElementsAre(Pair("A", "1"), Pair("B", " two\n")));
  EXPECT_THAT(request_.buildArgFiles, IsEmpty());
}

TEST_F(BuildArgs, SayWhichConfigMapTheyMiss) {
  EXPECT_EQ(failure().reason, "SourceNotFound");
  EXPECT_EQ(failure().message,
            "spec.buildArgs: B is key \"b\" of ConfigMap \"env\", which does not exist");
}

TEST_F(BuildArgs, AreNoLongerThanInTheSpec) {
  writeFile(root_ + "/B", std::string(4096, 'x'));
  EXPECT_TRUE(loadBuildArgs(root_, request_));
  request_.buildArgFiles = {{"B", "it"}};
  writeFile(root_ + "/B", std::string(4097, 'x'));
  EXPECT_EQ(failure().reason, "InvalidSpec");
}

}  // namespace
}  // namespace stagewright::prepare
