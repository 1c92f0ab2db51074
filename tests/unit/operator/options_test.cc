#include "operator/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace stagewright::op {
namespace {

ParsedOptions parse(std::vector<const char*> flags, bool withImages = true) {
  flags.insert(flags.begin(), "stagewright-operator");
  if (withImages) {
    flags.insert(flags.end(), {"--builder-image", "reg/builder@sha256:1", "--empty-image",
                               "reg/empty@sha256:2"});
  }
  return parseOptions(static_cast<int>(flags.size()), flags.data());
}

TEST(Options, HaveDefaults) {
  const ParsedOptions parsed = parse({});
  ASSERT_FALSE(parsed.exitCode.has_value());
  EXPECT_EQ(parsed.options.workers, 16);
  EXPECT_EQ(parsed.options.metricsPort, 8080);
  EXPECT_EQ(parsed.options.metricsAddress, "::");
  EXPECT_TRUE(parsed.options.leaderElect);
  EXPECT_EQ(parsed.options.leaseDuration, Millis(15'000));
  EXPECT_EQ(parsed.options.imageVolumes, ImageVolumes::kAuto);
  EXPECT_EQ(parsed.options.pods.builderImage, "reg/builder@sha256:1");
}

TEST(Options, AreRead) {
  const ParsedOptions parsed = parse({"--namespace", "team-a", "--workers", "8", "--metrics-bind",
                                      "127.0.0.1:0", "--leader-elect=false", "--lease-duration",
                                      "1m", "--image-volumes", "off", "--log-level", "debug"});
  ASSERT_FALSE(parsed.exitCode.has_value());
  EXPECT_EQ(parsed.options.namespaces, std::vector<std::string>{"team-a"});
  EXPECT_EQ(parsed.options.workers, 8);
  EXPECT_EQ(parsed.options.metricsAddress, "127.0.0.1");
  EXPECT_EQ(parsed.options.metricsPort, 0);
  EXPECT_FALSE(parsed.options.leaderElect);
  EXPECT_EQ(parsed.options.leaseDuration, Millis(60'000));
  EXPECT_EQ(parsed.options.imageVolumes, ImageVolumes::kOff);
  EXPECT_EQ(parsed.options.logLevel, log::Level::kDebug);
}

TEST(Options, OfTheQueue) {
  const Options defaults = parse({}).options;
  EXPECT_EQ(defaults.limits.running, 1000);
  EXPECT_EQ(defaults.limits.perNamespace, 0);
  EXPECT_FALSE(defaults.pods.kueue);
  const ParsedOptions parsed =
      parse({"--max-running-builds=7", "--max-running-builds-per-namespace=2", "--kueue"});
  ASSERT_FALSE(parsed.exitCode.has_value());
  EXPECT_EQ(parsed.options.limits.running, 7);
  EXPECT_EQ(parsed.options.limits.perNamespace, 2);
  EXPECT_TRUE(parsed.options.pods.kueue);
}

TEST(Options, NamespacesAreSeparatedByCommas) {
  const ParsedOptions parsed = parse({"--namespaces", "team-b,team-a,team-b"});
  ASSERT_FALSE(parsed.exitCode.has_value());
  EXPECT_EQ(parsed.options.namespaces, (std::vector<std::string>{"team-a", "team-b"}));
  EXPECT_TRUE(parse({}).options.namespaces.empty());
}

TEST(Options, WrongOnesEndWithTwo) {
  for (const auto& flags : std::vector<std::vector<const char*>>{{"--workers", "0"},
                                                                 {"--metrics-bind", "nowhere"},
                                                                 {"--metrics-bind", "h:99999"},
                                                                 {"--lease-duration", "soon"},
                                                                 {"--image-volumes", "maybe"},
                                                                 {"--max-running-builds", "-1"},
                                                                 {"--namespaces", "a,Not_One"},
                                                                 {"--unknown"}}) {
    EXPECT_EQ(parse(flags).exitCode, 2) << flags[0];
  }
  EXPECT_EQ(parse({}, false).exitCode, 2) << "without images";
  EXPECT_EQ(parse({"--help"}).exitCode, 0);
}

}  // namespace
}  // namespace stagewright::op
