#include "local/runtime_spec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace stagewright::local {
namespace {

ContainerRequest makeRequest() {
  ContainerRequest request;
  request.process.argv = {"/bin/sh", "-c", "true"};
  request.process.env = {"A=1"};
  request.process.workdir = "/w";
  request.process.identity = {12, 34, {34, 56}, "/"};
  request.root = "/store/root";
  request.mounts = {{"bind", "/from", "/to", true, 0}, {"tmpfs", "", "/t", false, 4096}};
  return request;
}

Json findMount(const Json& spec, const std::string& target) {
  for (const Json& mount : spec["mounts"]) {
    if (mount["destination"] == target) {
      return mount;
    }
  }
  return nullptr;
}

bool hasNamespace(const Json& spec, const std::string& type) {
  return std::any_of(spec["linux"]["namespaces"].begin(), spec["linux"]["namespaces"].end(),
                     [&](const Json& n) { return n["type"] == type; });
}

TEST(RuntimeSpec, RunsTheStepAsItsUserWithDockersCapabilities) {
  const Json spec = makeRuntimeSpec(makeRequest(), {Runtime::Kind::kRunc, "runc"});
  EXPECT_EQ(spec["process"]["user"]["uid"], 12);
  EXPECT_EQ(spec["process"]["user"]["additionalGids"], Json::array({34, 56}));
  EXPECT_EQ(spec["process"]["capabilities"]["bounding"].size(), 14U);
  EXPECT_EQ(spec["process"]["capabilities"].count("inheritable"), 0U);
  EXPECT_EQ(spec["hostname"], "buildkitsandbox");
}

TEST(RuntimeSpec, BindsHostsAndResolvConfReadOnly) {
  const Json spec = makeRuntimeSpec(makeRequest(), {Runtime::Kind::kRunc, "runc"});
  for (const char* target : {"/etc/hosts", "/etc/resolv.conf", "/to"}) {
    const Json options = findMount(spec, target)["options"];
    EXPECT_NE(std::find(options.begin(), options.end(), "ro"), options.end()) << target;
  }
}

TEST(RuntimeSpec, LimitsATmpfs) {
  const Json options = findMount(makeRuntimeSpec(makeRequest(), {Runtime::Kind::kRunc, "runc"}), "/t")["options"];
  EXPECT_NE(std::find(options.begin(), options.end(), "size=4096"), options.end());
}

TEST(RuntimeSpec, SharesTheMachinesNetworkUnlessTheStepWantsNone) {
  ContainerRequest request = makeRequest();
  EXPECT_FALSE(hasNamespace(makeRuntimeSpec(request, {Runtime::Kind::kRunc, "runc"}), "network"));
  request.process.networkNone = true;
  EXPECT_TRUE(hasNamespace(makeRuntimeSpec(request, {Runtime::Kind::kRunc, "runc"}), "network"));
}

}  // namespace
}  // namespace stagewright::local
