#include "lib/api/gitops.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stagewright::api {
namespace {

struct Case {
  const char* metadata;
  const char* owner;
};

TEST(FindGitOpsOwner, KnowsWhoWouldCreateAnObjectAgain) {
  const Case cases[] = {
      {R"({})", ""},
      {R"({"labels": null, "annotations": 5})", ""},
      {R"({"labels": {"app": "x", "app.kubernetes.io/name": "x"}})", ""},
      {R"({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "f"}})",
       "Flux Kustomization \"apps\""},
      {R"({"labels": {"helm.toolkit.fluxcd.io/name": "shop", "app.kubernetes.io/instance": "shop"},
           "annotations": {"meta.helm.sh/release-name": "shop"}})",
       "Flux HelmRelease \"shop\""},
      {R"({"annotations": {"argocd.argoproj.io/tracking-id": "shop:build.stagewright.dev/ImageBuild:team-a/web"}})",
       "Argo CD application \"shop\""},
      // The annotation was copied from another object: Argo CD does not count it either.
      {R"({"annotations": {"argocd.argoproj.io/tracking-id": "shop:build.stagewright.dev/ImageBuild:team-a/other"}})",
       ""},
      {R"({"labels": {"app.kubernetes.io/instance": "shop"}})",
       "what may be Argo CD application \"shop\" (label app.kubernetes.io/instance)"},
      // Argo CD renders charts; only Helm itself writes this annotation.
      {R"({"labels": {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"},
           "annotations": {"meta.helm.sh/release-name": "shop"}})",
       ""},
      {R"({"generateName": "web-", "labels": {"app.kubernetes.io/instance": "shop"}})", ""},
  };
  for (const Case& c : cases) {
    Json metadata = Json::parse(c.metadata);
    metadata["name"] = "web";
    metadata["namespace"] = "team-a";
    EXPECT_EQ(findGitOpsOwner(metadata), c.owner) << c.metadata;
  }
}

}  // namespace
}  // namespace stagewright::api
