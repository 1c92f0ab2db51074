#include "lib/kube/packed_text.h"

#include <gtest/gtest.h>

#include "lib/base/hash.h"

namespace stagewright::kube {
namespace {

TEST(PackedText, GivesBackWhatItWasMadeFrom) {
  std::string words;
  for (int i = 0; i < 200; ++i) {
    words += R"({"type":"Ready","status":"True","reason":"Succeeded","n":)" + std::to_string(i) + "}";
  }
  for (const std::string& text :
       {std::string(), std::string("short"), std::string(511, 'a'), std::string(512, 'a'), words,
        randomBytes(4096), std::string(1 << 20, '\0')}) {
    EXPECT_EQ(PackedText(text).text(), text) << text.size();
  }
}

TEST(PackedText, TakesLessThanAThirdForTheWordsOfAStatus) {
  std::string words;
  for (int i = 0; i < 12; ++i) {
    words += R"({"lastTransitionTime":"2026-11-28T01:49:04Z","message":"claim b","observedGeneration":1,)"
             R"("reason":"Succeeded","status":"True","type":"Stages)" +
             std::to_string(i) + "\"}";
  }
  EXPECT_LT(PackedText(words).size(), words.size() / 3);
}

TEST(PackedText, WhatCannotBePackedIsKeptAsItIs) {
  EXPECT_EQ(PackedText(randomBytes(4096)).size(), 4096u);
}

}  // namespace
}  // namespace stagewright::kube
