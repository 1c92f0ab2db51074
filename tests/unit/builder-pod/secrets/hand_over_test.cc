#include "builder-pod/secrets/hand_over.h"

#include <nlohmann/json.hpp>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::secrets {
namespace {

using Kind = plan::SecretGrant::Kind;

std::vector<plan::SecretGrant> grants() {
  return {{Kind::kSecret, "npm", "npm-token", "token"},
          {Kind::kSsh, "default", "deploy-key", "ssh-privatekey"}};
}

class HandOverTest : public ::testing::Test {
 protected:
  HandOverTest() { EXPECT_TRUE(dir_.shell("mkdir -p from/0 from/1 to")); }
  Result<plan::HandOver> handedOver() {
    CHECK_OK(handOver(grants(), dir_ / "from", dir_ / "to"));
    return plan::parseHandOver(dir_.read("to/handover.json"));
  }
  layer::TemporaryDirectory dir_;
};

TEST_F(HandOverTest, CopiesValuesForTheirReaderAlone) {
  ASSERT_TRUE(dir_.shell("printf 'v\\0x' > from/0/value; echo key > from/1/value"));
  const auto result = handedOver();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->problem, "");
  ASSERT_EQ(result->items.size(), 2U);
  EXPECT_EQ(result->items[0].id, "npm");
  EXPECT_EQ(result->items[1].kind, Kind::kSsh);
  EXPECT_EQ(dir_.read("to/" + result->items[0].file), std::string("v\0x", 3));
  struct stat st {};
  ASSERT_EQ(::stat((dir_ / "to/0").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0600U);
}

TEST_F(HandOverTest, NamesEverythingThatDoesNotExist) {
  const auto result = handedOver();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->items.empty());
  EXPECT_EQ(result->problem,
            "the Secret \"npm-token\" that spec.secrets names for id \"npm\" does not exist or has "
            "no key \"token\"; the Secret \"deploy-key\" that spec.ssh names for id \"default\" "
            "does not exist or has no key \"ssh-privatekey\"");
}

TEST(HandOverFile, RefusesNamesThatAreNoFilesOfOurs) {
  for (const char* file : {"", "../x", "a", "1/2"}) {
    const Json json = {{"problem", ""},
                       {"items", Json::array({{{"kind", "secret"}, {"id", "x"}, {"file", file}}})}};
    EXPECT_FALSE(plan::parseHandOver(dumpJson(json))) << file;
  }
  EXPECT_FALSE(plan::parseHandOver(R"({"items": [{"kind": "other", "id": "x", "file": "1"}]})"));
}

TEST(SecretGrants, SurviveTheirJson) {
  const auto read = plan::parseGrants(dumpJson(plan::toJson(grants())));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[1].kind, Kind::kSsh);
  EXPECT_EQ((*read)[1].secretName, "deploy-key");
  EXPECT_FALSE(plan::parseGrants(""));
  EXPECT_FALSE(plan::parseGrants(R"([{"kind": "secret"}])"));
}

}  // namespace
}  // namespace stagewright::secrets
