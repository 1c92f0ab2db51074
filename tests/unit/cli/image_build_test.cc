#include "cli/image_build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "cli/image_export.h"
#include "cli/image_write.h"
#include "cli/shared_libraries.h"
#include "lib/base/file.h"
#include "lib/http/curl_transport.h"
#include "tests/support/docker_registry.h"

namespace stagewright::cli {
namespace {

using ::testing::HasSubstr;

class ImageBuild : public ::testing::Test {
 protected:
  ImageBuild() : work_(WorkDirectory::make().value()), source_(WorkDirectory::make().value()) {
    std::filesystem::create_directories(source_.file("tree/sub"));
    write("tree/b", "two", 0600);
    write("tree/a.sh", "one", 0775);
    write("tree/sub/c", "three", 0644);
    std::filesystem::create_symlink("sub/c", source_.file("tree/link"));
  }
  void write(const std::string& name, const std::string& text, unsigned mode) {
    std::ofstream(source_.file(name)) << text;
    ::chmod(source_.file(name).c_str(), mode);
  }
  Result<BuiltImage> build(const std::vector<std::string>& args) {
    return buildImage(Arguments::parse(args, contentOptions()).value(), work_);
  }
  WorkDirectory work_;
  WorkDirectory source_;
};

TEST_F(ImageBuild, DoesNotDependOnTimesModesAndOrder) {
  const std::vector<std::string> args = {"--add",        source_.file("tree") + ":/opt/tree",
                                         "--directory",  "/tmp:1777",
                                         "--platform",   "linux/amd64",
                                         "--entrypoint", R"(["/opt/tree/a.sh"])"};
  const BuiltImage first = build(args).value();
  std::filesystem::last_write_time(source_.file("tree/b"),
                                   std::filesystem::file_time_type::clock::now());
  ::chmod(source_.file("tree/b").c_str(), 0664);
  const BuiltImage second =
      build({"--directory", "/tmp:1777", "--entrypoint", R"(["/opt/tree/a.sh"])", "--platform",
             "linux/amd64", "--add", source_.file("tree") + ":/opt/tree"})
          .value();
  EXPECT_EQ(first.digest(), second.digest());
}

TEST_F(ImageBuild, HasOneLayerPerGroupAndAtLeastOne) {
  EXPECT_EQ(build({}).value().parsed.layers.size(), 1U);
  EXPECT_EQ(build({"--directory", "/a", "--layer", "--directory", "/b", "--layer"})
                .value()
                .parsed.layers.size(),
            2U);
}

TEST_F(ImageBuild, NamesWhatIsWrong) {
  EXPECT_EQ(build({"--entrypoint", "/app"}).error().message,
            "--entrypoint must be a JSON list of strings: [\"/usr/bin/app\"]");
  EXPECT_EQ(build({"--env", "PATH"}).error().message, "--env must look like NAME=VALUE");
  EXPECT_EQ(build({"--add", source_.file("none") + ":/x"}).error().code, Code::kNotFound);
  EXPECT_EQ(build({"--add", source_.file("tree") + ":x"}).error().message,
            "path \"x\" in the image is not absolute");
  EXPECT_EQ(build({"--directory", "/tmp:9"}).error().message,
            "--directory: mode \"9\" is not octal");
  EXPECT_EQ(build({"--base", "debian"}).error().message, "--base: only none");
}

TEST(SharedLibraries, ReadsTheLoadersList) {
  EXPECT_EQ(
      parseLoaderList("\tlinux-vdso.so.1 (0x00007ffd)\n"
                      "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n"
                      "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n")
          .value(),
      (std::vector<std::string>{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}));
  EXPECT_EQ(parseLoaderList("\tlibnone.so.1 => not found\n").error().message,
            "shared library \"libnone.so.1\" was not found");
}

TEST(SharedLibraries, FindsThoseOfAProgram) {
  const auto libraries = findSharedLibraries("/bin/sh");
  ASSERT_TRUE(libraries) << libraries.error().message;
  EXPECT_THAT(*libraries, ::testing::Contains(HasSubstr("libc.so")));
  EXPECT_EQ(findSharedLibraries("/etc/passwd").error().code, Code::kInvalid);
}

TEST_F(ImageBuild, RunsFromItsOwnTree) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "chroot needs root";
  }
  if (!testing::DockerRegistry::available()) {
    GTEST_SKIP() << "docker-registry or apache2-utils is not installed";
  }
  auto server = testing::DockerRegistry::start();
  ASSERT_TRUE(server) << server.error().message;
  const auto transport = http::makeCurlTransport();
  SystemClock clock;
  registry::Client client(
      *transport, clock,
      {{{server->host(), registry::HostConfig::Tls::kPlainHttp, "", {}}}, {}, {}});
  const oci::Reference reference{{server->host(), "tools/sh"}, "1", std::nullopt};
  auto image = build({"--binary", "/bin/sh:/usr/bin/sh", "--layer", "--add",
                      source_.file("tree") + ":/opt/tree", "--platform", "linux/amd64"});
  ASSERT_TRUE(image) << image.error().message;
  const Status pushed = pushImage(*image, reference, client);
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_EQ(client.fetchDigest(reference, {}).value(), image->digest());

  auto tree = fetchTree(reference, oci::Platform(), client, work_);
  ASSERT_TRUE(tree) << tree.error().message;
  const std::string list = listTree(tree->tree);
  EXPECT_THAT(list, HasSubstr("opt/tree/a.sh\tfile\t0755\t0\t0\t3\t"));
  EXPECT_THAT(list, HasSubstr("opt/tree/b\tfile\t0644\t0\t0\t3\t"));
  EXPECT_THAT(list, HasSubstr("opt/tree/link\tsymlink\t0777\t0\t0\t0\t-\tsub/c\n"));
  ASSERT_TRUE(saveTree(*tree, work_.file("tree.tar")));
  const std::string root = work_.file("root");
  const std::string command = "mkdir " + root + " && tar -xf " + work_.file("tree.tar") + " -C " +
                              root + " && chroot " + root + " /usr/bin/sh -c 'exit 7'";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 7);
}

}  // namespace
}  // namespace stagewright::cli
