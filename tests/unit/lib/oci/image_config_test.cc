#include "lib/oci/image_config.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace stagewright::oci {
namespace {

ImageConfig fullConfig() {
  ImageConfig c;
  c.created = "2026-11-23T08:00:01Z";
  c.author = "me";
  c.platform = {"linux", "arm", "v7"};
  c.osVersion = "1";
  c.env = {"B=2", "A=1", "EMPTY="};
  c.cmd = {{"sh", "-c", "x \"y\" <z>&"}};
  c.entrypoint = std::vector<std::string>();
  c.user = "app:app";
  c.workingDir = "/srv";
  c.exposedPorts = {"80/tcp", "53/udp"};
  c.volumes = {"/data"};
  c.labels = {{"b", "2"}, {"a", ""}};
  c.stopSignal = "SIGINT";
  c.healthcheck = HealthConfig{{"CMD-SHELL", "true"}, 1, 2, 3, 4, 5};
  c.shell = {"/bin/bash", "-c"};
  c.onBuild = {"RUN x"};
  c.argsEscaped = true;
  c.diffIds = {Digest::ofBytes("1")};
  c.history = {{"2026-11-23T08:00:01Z", "RUN x # buildkit", "a", "buildkit.dockerfile.v0", false},
               {"", "ENV A=1", "", "", true}};
  return c;
}

TEST(ImageConfig, RoundTripsEveryField) {
  const std::string bytes = serializeImageConfig(fullConfig());
  const auto read = parseImageConfig(bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, fullConfig());
  EXPECT_EQ(serializeImageConfig(*read), bytes);
}

TEST(ImageConfig, WritesKeysInOrderAndNothingThatIsUnset) {
  ImageConfig c;
  c.workingDir = "/";
  EXPECT_EQ(serializeImageConfig(c),
            R"({"architecture":"amd64","config":{"WorkingDir":"/"},"history":[],"os":"linux",)"
            R"("rootfs":{"diff_ids":[],"type":"layers"}})");
}

TEST(ImageConfig, AbsentNullAndEmptyCommandsAreThreeTexts) {
  const auto cmdOf = [](const std::string& config) {
    return parseImageConfig(R"({"config":)" + config + "}")->cmd;
  };
  EXPECT_FALSE(cmdOf("{}"));
  EXPECT_FALSE(cmdOf(R"({"Cmd":null})"));
  EXPECT_EQ(cmdOf(R"({"Cmd":[]})"), std::vector<std::string>());
  EXPECT_EQ(cmdOf(R"({"Cmd":["a"]})"), std::vector<std::string>{"a"});
  EXPECT_FALSE(parseImageConfig(R"({"config":null})")->cmd);
}

TEST(ImageConfig, IgnoresUnknownFields) {
  EXPECT_TRUE(parseImageConfig(R"({"x":1,"config":{"Hostname":"h","Domainname":"","Tty":false}})"));
}

TEST(ParseImageConfig, NamesThePathOfAWrongType) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "not JSON"},
      {"3", "expected object, got number"},
      {R"({"config":[]})", "config: expected object, got array"},
      {R"({"config":{"Env":{}}})", "config.Env: expected array, got object"},
      {R"({"config":{"Env":[1]}})", "config.Env[0]: expected string, got number"},
      {R"({"config":{"Labels":{"a":1}}})", "config.Labels.a: expected string, got number"},
      {R"({"config":{"ExposedPorts":["80"]}})", "config.ExposedPorts: expected object, got array"},
      {R"({"config":{"Healthcheck":{"Interval":"1s"}}})",
       "config.Healthcheck.Interval: expected integer, got string"},
      {R"({"config":{"Healthcheck":{"Retries":99999999999999999999}}})",
       "config.Healthcheck.Retries: expected integer"},
      {R"({"rootfs":{"diff_ids":["sha256:x"]}})", "rootfs: diff_ids: invalid digest"},
      {R"({"history":[1]})", "history[0]: expected object, got number"},
      {R"({"history":[{"empty_layer":1}]})",
       "history[0].empty_layer: expected boolean, got number"},
      {R"({"os":1})", "os: expected string, got number"},
      {std::string(9U << 20, ' '), "the image config is larger than 8 MiB"},
  };
  for (const auto& [text, want] : cases) {
    const auto result = parseImageConfig(text);
    ASSERT_FALSE(result) << text.substr(0, 100);
    EXPECT_EQ(result.error().code, Code::kInvalid);
    EXPECT_EQ(result.error().message.find(want), 0U) << result.error().message;
  }
}

TEST(SerializeImageConfig, SurvivesBytesThatAreNoText) {
  ImageConfig c;
  c.env = {"A=\xff\xfe"};
  const std::string bytes = serializeImageConfig(c);
  EXPECT_TRUE(parseImageConfig(bytes));
}

}  // namespace
}  // namespace stagewright::oci
