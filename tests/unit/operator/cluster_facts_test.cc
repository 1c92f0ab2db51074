#include "operator/cluster_facts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stagewright::op {
namespace {

Json node(const char* name = "w1", const char* kubelet = "v1.36.3",
          const char* runtime = "containerd://2.3.7") {
  return {
      {"metadata", {{"name", name}, {"labels", {{"disk", "ssd"}}}, {"annotations", {{"x", "y"}}}}},
      {"spec", {{"unschedulable", true}}},
      {"status",
       {{"images", Json::array({1, 2, 3})},
        {"conditions",
         {{{"type", "Ready"},
           {"status", "Unknown"},
           {"lastTransitionTime", "2026-11-23T08:00:01Z"}}}},
        {"runtimeHandlers",
         {{{"name", ""}, {"features", {{"userNamespaces", true}}}}, {{"name", "runc"}}}},
        {"nodeInfo", {{"kubeletVersion", kubelet}, {"containerRuntimeVersion", runtime}}}}}};
}

TEST(Node, IsReadAndTrimmedWithoutLoss) {
  Json trimmed = node();
  trimNode(trimmed);
  EXPECT_FALSE(trimmed["status"].contains("images"));
  EXPECT_FALSE(trimmed["metadata"].contains("annotations"));
  for (const Json& object : {node(), trimmed}) {
    const NodeKnowledge known = parseNode(object);
    EXPECT_EQ(known.facts.name, "w1");
    EXPECT_FALSE(known.facts.ready);
    EXPECT_EQ(formatTime(*known.facts.notReadySince), "2026-11-23T08:00:01Z");
    EXPECT_FALSE(known.facts.schedulable);
    EXPECT_TRUE(known.facts.userNamespaces);
    EXPECT_TRUE(known.imageVolumes);
    EXPECT_EQ(known.facts.labels.at("disk"), "ssd");
  }
}

TEST(Node, AnythingAtAllIsSurvived) {
  for (const char* text :
       {"null", "[]", "{}",
        R"({"status":{"conditions":{},"runtimeHandlers":7},"metadata":{"labels":[1]}})",
        R"({"status":{"conditions":[1,null]}})"}) {
    Json object = Json::parse(text);
    EXPECT_FALSE(parseNode(object).facts.ready);
  }
}

TEST(ImageVolumesChoice, AutoNeedsServerKubeletAndRuntime) {
  struct Case {
    ImageVolumes choice;
    int minor;
    const char *kubelet, *runtime;
    bool expected;
  };
  const Case cases[] = {
      {ImageVolumes::kAuto, 36, "v1.36.0", "containerd://2.1.0", true},
      {ImageVolumes::kAuto, 36, "v1.36.0", "cri-o://1.31.2", true},
      {ImageVolumes::kAuto, 35, "v1.36.0", "containerd://2.1.0", false},
      {ImageVolumes::kAuto, 36, "v1.34.1", "containerd://2.1.0", false},
      {ImageVolumes::kAuto, 36, "v1.36.0", "containerd://2.0.9", false},
      {ImageVolumes::kOn, 33, "v1.33.0", "containerd://2.0.9", true},
      {ImageVolumes::kOff, 36, "v1.36.0", "containerd://2.1.0", false},
  };
  for (const Case& c : cases) {
    ClusterFactsBoard board(c.choice, c.minor);
    const Json object = node("w1", c.kubelet, c.runtime);
    board.update("w1", &object);
    EXPECT_EQ(board.facts().imageVolumes, c.expected) << c.minor << c.kubelet << c.runtime;
  }
  EXPECT_FALSE(ClusterFactsBoard(ImageVolumes::kAuto, 36).facts().imageVolumes)
      << "no node is known";
}

TEST(ClusterFactsBoard, SaysWhatMattersToBuilds) {
  ClusterFactsBoard board(ImageVolumes::kAuto, 36);
  Json object = node();
  EXPECT_TRUE(board.update("w1", &object));
  object["metadata"]["labels"]["new"] = "x";
  EXPECT_FALSE(board.update("w1", &object));
  object["status"]["conditions"][0]["status"] = "True";
  EXPECT_TRUE(board.update("w1", &object));
  EXPECT_TRUE(board.update("w1", nullptr));
  EXPECT_TRUE(board.facts().nodes.empty());
}

TEST(ServerVersion, MinorMayCarryAPlus) {
  EXPECT_EQ(parseMinor("36"), 36);
  EXPECT_EQ(parseMinor("36+"), 36);
  EXPECT_EQ(parseMinor(""), 0);
}

}  // namespace
}  // namespace stagewright::op
