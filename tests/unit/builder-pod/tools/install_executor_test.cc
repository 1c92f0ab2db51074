#include "builder-pod/tools/install_executor.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lib/base/file.h"

namespace stagewright::tools {
namespace {

class InstallExecutor : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "install-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::filesystem::create_directory(directory_ + "/tools");
    std::ofstream(directory_ + "/program") << program_;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string installed() const { return directory_ + "/tools/stagewright-stage"; }

  const std::string program_ = std::string("\x7f"
                                           "ELF\0binary",
                                           11);
  std::string directory_;
};

TEST_F(InstallExecutor, CopiesTheProgramExecutableForEverybodyWhateverTheUmask) {
  const mode_t before = umask(077);
  const Status done = installExecutor(directory_ + "/program", directory_ + "/tools");
  umask(before);
  ASSERT_TRUE(done) << done.error().message;
  struct stat info {};
  ASSERT_EQ(stat(installed().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);
  EXPECT_EQ(loadFile(installed(), 1024).value(), program_);
}

TEST_F(InstallExecutor, ReplacesWhatAnEarlierStartOfTheContainerLeft) {
  std::ofstream(installed()) << "half a pro";
  ASSERT_TRUE(installExecutor(directory_ + "/program", directory_ + "/tools"));
  EXPECT_EQ(loadFile(installed(), 1024).value(), program_);
}

TEST_F(InstallExecutor, SaysWhatIsMissing) {
  const Status noProgram = installExecutor(directory_ + "/none", directory_ + "/tools");
  ASSERT_FALSE(noProgram);
  EXPECT_NE(noProgram.error().message.find("/none"), std::string::npos) << noProgram.error().message;
  const Status noDirectory = installExecutor(directory_ + "/program", directory_ + "/nowhere");
  ASSERT_FALSE(noDirectory);
  EXPECT_NE(noDirectory.error().message.find("/nowhere"), std::string::npos)
      << noDirectory.error().message;
}

}  // namespace
}  // namespace stagewright::tools
