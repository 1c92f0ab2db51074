#include "builder-pod/prepare/source_tree.h"

#include "fixtures.h"
#include "gmock/gmock.h"

namespace stagewright::prepare {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace stagewright::prepare::testing;  // NOLINT

class SourceTree : public ::testing::Test {
 protected:
  Context context(const std::string& directory = ".") {
    return openContext(root_, directory).value();
  }
  plan::Failure dockerfileFailure(const std::string& path) {
    const auto outcome = loadDockerfile(context(), path);
    EXPECT_FALSE(outcome) << path;
    return outcome ? plan::Failure{} : outcome.error().failure;
  }
  plan::Failure contextFailure(const std::string& path) {
    const auto outcome = openContext(root_, path);
    EXPECT_FALSE(outcome) << path;
    return outcome ? plan::Failure{} : outcome.error().failure;
  }

  TemporaryDirectory directory_;
  std::string root_ = directory_.directory("root");
};

TEST_F(SourceTree, NamesTheDockerfileFromTheSourcesRoot) {
  writeFile(root_ + "/services/api/Dockerfile", "FROM scratch\n");
  const auto file = loadDockerfile(context("./services/api/"), "./Dockerfile");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->name, "services/api/Dockerfile");
  EXPECT_EQ(file->text, "FROM scratch\n");
  EXPECT_EQ(file->ignoreName, "");
}

TEST_F(SourceTree, TakesTheLowerCaseNameForTheDefaultOnly) {
  writeFile(root_ + "/dockerfile", "FROM scratch\n");
  EXPECT_EQ(loadDockerfile(context(), "Dockerfile")->name, "dockerfile");
  EXPECT_EQ(dockerfileFailure("other/Dockerfile").reason, "DockerfileNotFound");
}

TEST_F(SourceTree, PrefersTheIgnoreFileOfTheDockerfile) {
  writeFile(root_ + "/build/web.Dockerfile", "FROM scratch\n");
  writeFile(root_ + "/.dockerignore", "general\n");
  EXPECT_EQ(loadDockerfile(context(), "build/web.Dockerfile")->ignoreText, "general\n");
  writeFile(root_ + "/build/web.Dockerfile.dockerignore", "special\n");
  const auto file = loadDockerfile(context(), "build/web.Dockerfile");
  EXPECT_EQ(file->ignoreText, "special\n");
  EXPECT_EQ(file->ignoreName, "build/web.Dockerfile.dockerignore");
  EXPECT_EQ(inlineDockerfile(context(), "FROM scratch\n")->ignoreText, "general\n");
  EXPECT_EQ(inlineDockerfile(context(), "FROM scratch\n")->name, "Dockerfile");
}

TEST_F(SourceTree, FollowsLinksInsideOnly) {
  writeFile(root_ + "/docker/Dockerfile.prod", "FROM scratch\n");
  writeFile(directory_ / "outside", "root:x:0:0\n");
  fs::create_symlink("docker/Dockerfile.prod", root_ + "/Dockerfile");
  EXPECT_TRUE(loadDockerfile(context(), "Dockerfile"));
  fs::create_symlink("../outside", root_ + "/up");
  fs::create_symlink(directory_ / "outside", root_ + "/absolute");
  fs::create_symlink("/proc/self/environ", root_ + "/magic");
  for (const char* path : {"up", "absolute", "magic"}) {
    const auto failure = dockerfileFailure(path);
    EXPECT_EQ(failure.reason, "DockerfileNotFound") << path;
    EXPECT_THAT(failure.message, Not(HasSubstr("root:")));
    EXPECT_THAT(failure.message, HasSubstr("leaves the source"));
  }
  fs::create_directory_symlink("..", root_ + "/parent");
  EXPECT_EQ(contextFailure("parent").reason, "ContextDirNotFound");
}

TEST_F(SourceTree, SaysWhatIsMissing) {
  EXPECT_EQ(dockerfileFailure("Dockerfile").message, "there is no \"Dockerfile\" in the source");
  fs::create_directories(root_ + "/directory");
  EXPECT_EQ(dockerfileFailure("directory").reason, "DockerfileNotFound");
  EXPECT_THAT(contextFailure("no/such").message, HasSubstr("no/such"));
  writeFile(root_ + "/file", "");
  EXPECT_EQ(contextFailure("file").reason, "ContextDirNotFound");
  ASSERT_EQ(::mkfifo((root_ + "/fifo").c_str(), 0644), 0);
  EXPECT_THAT(dockerfileFailure("fifo").message, HasSubstr("not a regular file"));
}

TEST_F(SourceTree, RefusesPathsThatLeave) {
  for (const char* path : {"/etc", "../x", "a/../../x", "..", ""}) {
    EXPECT_EQ(contextFailure(path).reason, "InvalidSpec") << path;
    EXPECT_EQ(dockerfileFailure(path).reason, "InvalidSpec") << path;
  }
}

TEST_F(SourceTree, RefusesAHugeDockerfile) {
  writeFile(root_ + "/Dockerfile", "");
  fs::resize_file(root_ + "/Dockerfile", 64 << 20);
  EXPECT_EQ(dockerfileFailure("Dockerfile").reason, "DockerfileInvalid");
}

}  // namespace
}  // namespace stagewright::prepare
