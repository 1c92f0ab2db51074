// The kinds we talk about, and the paths they live at.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stagewright::kube {

struct Resource {
  std::string_view group;  ///< empty: the core group
  std::string_view version;
  std::string_view plural;
  bool namespaced = true;
};

inline constexpr Resource kImageBuilds{"build.stagewright.dev", "v1alpha1", "imagebuilds"};
inline constexpr Resource kBuildPolicies{"build.stagewright.dev", "v1alpha1", "buildpolicies",
                                         false};
inline constexpr Resource kPods{"", "v1", "pods"};
inline constexpr Resource kClaims{"", "v1", "persistentvolumeclaims"};
inline constexpr Resource kConfigMaps{"", "v1", "configmaps"};
inline constexpr Resource kNodes{"", "v1", "nodes", false};
inline constexpr Resource kNamespaces{"", "v1", "namespaces", false};
inline constexpr Resource kLeases{"coordination.k8s.io", "v1", "leases"};
inline constexpr Resource kTokenReviews{"authentication.k8s.io", "v1", "tokenreviews", false};
inline constexpr Resource kAccessReviews{"authorization.k8s.io", "v1", "subjectaccessreviews",
                                         false};
inline constexpr Resource kEvents{"events.k8s.io", "v1", "events"};

/// Everything but unreserved characters as %XX.
std::string percentEncode(std::string_view text);

/// /api/v1/namespaces/<ns>/pods/<name>/<subresource>; empty parts are left out. An empty `ns` of a
/// namespaced resource means all namespaces.
std::string resourcePath(const Resource& resource, std::string_view ns, std::string_view name = "",
                         std::string_view subresource = "");

using Query = std::vector<std::pair<std::string_view, std::string>>;
/// `?a=b&c=d` of the pairs with a value, or empty.
std::string queryText(const Query& query);

/// Resource versions of one kind are decimal numbers without bound and without leading zeros
/// (KEP-5504). An empty one is older than all.
bool isAtLeast(std::string_view version, std::string_view wanted);

}  // namespace stagewright::kube
