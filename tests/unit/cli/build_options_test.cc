#include "cli/build_options.h"

#include <gtest/gtest.h>

namespace stagewright::cli {
namespace {

Result<local::BuildOptions> parse(std::vector<std::string> args) {
  args.insert(args.begin(), "--local");
  TRY(const Arguments arguments, Arguments::parse(args, buildOptionTable()));
  return makeBuildOptions(arguments);
}

std::string errorOf(std::vector<std::string> args) {
  const auto options = parse(std::move(args));
  return options ? "" : options.error().message;
}

TEST(BuildOptions, TakesTheFlagsPeopleKnow) {
  const auto options = parse({"-t", "localhost:5000/a:1", "-t", "b", "-f", "D", "--build-arg", "X=1=2", "--label", "l=v", "--push",
                              "--jobs", "3", "dir"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->tags, (std::vector<std::string>{"localhost:5000/a:1", "b"}));
  EXPECT_EQ(options->buildArgs.front(), (std::pair<std::string, std::string>("X", "1=2")));
  EXPECT_EQ(options->outputs.front().type, local::Output::Type::kRegistry);
  EXPECT_EQ(options->jobs, 3);
  EXPECT_EQ(options->context, "dir");
}

TEST(BuildOptions, SpeaksPlainHttpToLoopback) {
  const auto options = parse({"-t", "localhost:5000/a", "."});
  ASSERT_TRUE(options);
  ASSERT_EQ(options->registries.size(), 1U);
  EXPECT_EQ(options->registries.front().host, "localhost:5000");
  EXPECT_EQ(options->registries.front().tls, plan::RegistryAccess::Tls::kPlainHttp);
}

TEST(BuildOptions, RefusesWhatMakesNoSense) {
  EXPECT_EQ(errorOf({"--push", "."}), "to push an image it needs a name: -t REFERENCE");
  EXPECT_EQ(errorOf({}), "a context is missing");
  EXPECT_EQ(errorOf({"a", "b"}), "one context only");
  EXPECT_EQ(errorOf({"--progress", "loud", "."}), "--progress: unknown style \"loud\"");
  EXPECT_EQ(errorOf({"--nope", "."}), "unknown option --nope");
}

TEST(BuildOptions, KnowsTheFormsOfCaches) {
  using Type = local::CacheLocation::Type;
  const auto options = parse({"--cache-from", "127.0.0.1:5001/c:1", "--cache-from", "type=local,src=d", "--cache-to",
                              "type=registry,ref=r.example/c,mode=max,ignore-error=true", "--cache-to", "inline", "."});
  ASSERT_TRUE(options) << options.error().message;
  ASSERT_EQ(options->cacheFrom.size(), 2U);
  EXPECT_EQ(options->cacheFrom[0].place, "127.0.0.1:5001/c:1");
  EXPECT_EQ(options->registries.front().tls, plan::RegistryAccess::Tls::kPlainHttp);
  EXPECT_EQ(options->cacheFrom[1].type, Type::kDirectory);
  ASSERT_EQ(options->cacheTo.size(), 2U);
  EXPECT_TRUE(options->cacheTo[0].everyStage);
  EXPECT_TRUE(options->cacheTo[0].mayFail);
  EXPECT_EQ(options->cacheTo[1].type, Type::kInline);
  EXPECT_EQ(errorOf({"--cache-to", "type=gha", "."}),
            "--cache-to: unknown type \"gha\": registry, local and inline are there");
  EXPECT_EQ(errorOf({"--cache-from", "type=inline", "."}), "--cache-from: unknown type \"inline\": registry, local are there");
  EXPECT_EQ(errorOf({"--cache-from", "type=local", "."}), "--cache-from type=local needs src=DIRECTORY");
  EXPECT_EQ(errorOf({"--cache-to", "type=local,dest=d,mode=all", "."}), "--cache-to: unknown mode \"all\"");
}

TEST(ParseOutput, KnowsTheFormsOfBuildx) {
  EXPECT_EQ(parseOutput("-")->type, local::Output::Type::kTar);
  EXPECT_EQ(parseOutput("out")->type, local::Output::Type::kLocal);
  EXPECT_EQ(parseOutput("type=oci,dest=x.tar")->destination, "x.tar");
  EXPECT_FALSE(parseOutput("type=oci,dest=x,tar=false")->tar);
  EXPECT_EQ(parseOutput("type=registry,compression=zstd")->layerFormat, compress::Format::kZstd);
  EXPECT_EQ(parseOutput("type=registry")->layerFormat, std::nullopt);
  EXPECT_EQ(parseOutput("type=registry,compression=lzma").error().message,
            "--output: compression=lzma: gzip or zstd are known");
  EXPECT_EQ(parseOutput("type=tar,dest=x,compression=gzip").error().message,
            "--output: compression=gzip: no layers are written");
  EXPECT_EQ(parseOutput("type=oci").error().message, "--output type=oci needs dest=PATH");
  EXPECT_EQ(parseOutput("type=zip,dest=x").error().message, "--output: unknown type \"zip\"");
}

}  // namespace
}  // namespace stagewright::cli
