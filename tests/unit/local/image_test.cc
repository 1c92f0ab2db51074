#include "local/image.h"

#include <gtest/gtest.h>

namespace stagewright::local {
namespace {

oci::HistoryEntry entry(const std::string& createdBy, bool emptyLayer, const std::string& created = "") {
  oci::HistoryEntry out;
  out.createdBy = createdBy;
  out.emptyLayer = emptyLayer;
  out.created = created;
  return out;
}

std::vector<std::string> timesOf(const oci::ImageConfig& config) {
  std::vector<std::string> out;
  for (const oci::HistoryEntry& item : config.history) {
    out.push_back(item.created);
  }
  return out;
}

TEST(FillTimes, GivesEveryLayerTheTimeOfItsStep) {
  oci::ImageConfig config;
  config.history = {entry("base", false, "t0"), entry("RUN a", false), entry("RUN b", false)};
  fillTimes(config, {"t1", "t2"}, "now");
  EXPECT_EQ(timesOf(config), (std::vector<std::string>{"t0", "t1", "t2"}));
  EXPECT_EQ(config.created, "t2");
}

TEST(FillTimes, GivesEntriesWithoutLayerTheFirstNewTimeOrTheLastOne) {
  oci::ImageConfig config;
  config.history = {entry("base", false, "t0"), entry("ENV a", true), entry("RUN a", false), entry("ENV b", true)};
  fillTimes(config, {"t1"}, "now");
  EXPECT_EQ(timesOf(config), (std::vector<std::string>{"t0", "t1", "t1", "t1"}));
}

TEST(FillTimes, TakesTheBasesTimeIfNothingIsNewSoThatARebuildIsEqual) {
  oci::ImageConfig config;
  config.history = {entry("base", false, "t0"), entry("ENV a", true)};
  fillTimes(config, {}, "now");
  EXPECT_EQ(timesOf(config), (std::vector<std::string>{"t0", "t0"}));
  EXPECT_EQ(config.created, "t0");
}

TEST(FillTimes, FallsBackToTheCallersTimeForAnImageWithoutAny) {
  oci::ImageConfig config;
  config.history = {entry("ENV a", true)};
  fillTimes(config, {}, "now");
  EXPECT_EQ(config.created, "now");
}

}  // namespace
}  // namespace stagewright::local
