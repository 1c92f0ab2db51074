#include "lib/policy/policy.h"

#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "lib/api/identity.h"
#include "lib/policy/check.h"
#include "lib/policy/pattern.h"

namespace stagewright::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

BuildPolicy policyOf(const std::string& name, const Json& spec) {
  Result<BuildPolicy> out = parsePolicy({{"metadata", {{"name", name}}}, {"spec", spec}});
  EXPECT_TRUE(out);
  EXPECT_FALSE(out->error) << out->error->message;
  return *out;
}

Policies policies(const std::vector<std::pair<std::string, Json>>& specs) {
  std::vector<BuildPolicy> all;
  for (const auto& [name, spec] : specs) {
    all.push_back(policyOf(name, spec));
  }
  return selectPolicies(all, {});
}

api::ImageBuild buildOf(const api::ImageBuildSpec& spec) {
  api::ImageBuild out;
  out.metadata.namespace_ = "team-a";
  out.metadata.name = "app";
  out.spec = spec;
  return out;
}

api::ImageBuildSpec specOf(const Json& patch = Json::object()) {
  Json spec = {{"dockerfileInline", "FROM scratch"}, {"output", {{"image", "reg.example/team/app:1"}}}};
  if (patch.is_object()) {
    spec.merge_patch(patch);
  }
  return api::parseSpec(JsonReader(spec, "spec")).value();
}

class Rules : public ::testing::Test {
 protected:
  api::ImageBuildSpec effective(const Json& patch, const Policies& with) {
    return applyDefaults(buildOf(specOf(patch)), with, {pods_, std::chrono::hours(1)});
  }
  std::optional<Violation> check(const Json& patch, const Policies& with) {
    const api::ImageBuildSpec asked = specOf(patch);
    const Fallbacks fallbacks{pods_, std::chrono::hours(1)};
    const api::ImageBuildSpec carriedOut = applyDefaults(buildOf(asked), with, fallbacks);
    return checkSpec({asked, carriedOut, "team-a", "reg.example/team/app"}, with, fallbacks);
  }
  pods::PodSettings pods_;
};

// ---- which policies ----

TEST(Selector, MatchesAsKubernetesDoes) {
  struct Case {
    Json selector;
    std::map<std::string, std::string> labels;
    bool matches;
  };
  const std::vector<Case> cases = {
      {Json::object(), {}, true},
      {{{"matchLabels", {{"team", "a"}}}}, {{"team", "a"}, {"x", "y"}}, true},
      {{{"matchLabels", {{"team", "a"}}}}, {{"team", "b"}}, false},
      {{{"matchLabels", {{"team", "a"}}}}, {}, false},
      {Json::parse(R"({"matchExpressions": [{"key": "e", "operator": "In", "values": ["p", "q"]}]})"), {{"e", "q"}}, true},
      {Json::parse(R"({"matchExpressions": [{"key": "e", "operator": "NotIn", "values": ["p"]}]})"), {{"e", "p"}}, false},
      {Json::parse(R"({"matchExpressions": [{"key": "e", "operator": "NotIn", "values": ["p"]}]})"), {}, true},
      {Json::parse(R"({"matchExpressions": [{"key": "e", "operator": "Exists"}]})"), {{"e", ""}}, true},
      {Json::parse(R"({"matchExpressions": [{"key": "e", "operator": "DoesNotExist"}]})"), {{"e", ""}}, false},
      {Json::parse(R"({"matchLabels": {"t": "a"}, "matchExpressions": [{"key": "e", "operator": "Exists"}]})"), {{"t", "a"}}, false}};
  for (const Case& c : cases) {
    const Result<Selector> selector = parseSelector(JsonReader(c.selector));
    ASSERT_TRUE(selector) << c.selector;
    EXPECT_EQ(selector->matches(c.labels), c.matches) << c.selector;
  }
  for (const char* bad : {R"({"matchExpressions": [{"key": "e", "operator": "In"}]})",
                          R"({"matchExpressions": [{"key": "e", "operator": "Exists", "values": ["x"]}]})",
                          R"({"matchExpressions": [{"key": "e", "operator": "Like"}]})",
                          R"({"matchFields": []})"}) {
    const Json json = Json::parse(bad);
    EXPECT_FALSE(parseSelector(JsonReader(json))) << bad;
  }
}

TEST(SelectPolicies, OrdersByPrecedenceThenName) {
  std::vector<BuildPolicy> all = {policyOf("b", {{"precedence", 1}}), policyOf("z", {{"precedence", 5}}),
                                  policyOf("a", {{"precedence", 1}}), policyOf("none", {{"precedence", -1}}),
                                  policyOf("other", {{"namespaceSelector", {{"matchLabels", {{"t", "x"}}}}}})};
  std::vector<std::string> names;
  const Policies selected = selectPolicies(all, {{"t", "a"}});
  for (const BuildPolicy& policy : *selected) {
    names.push_back(policy.name);
  }
  EXPECT_THAT(names, ElementsAre("z", "a", "b", "none"));
}

TEST(ParsePolicy, OneThatCannotBeReadHoldsEveryNamespace) {
  for (const Json& spec : {Json{{"unknown", 1}}, Json{{"admission", "Maybe"}},
                           Json{{"allowed", {{"isolation", {"Privileged"}}}}}, Json{{"limits", {{"timeout", "soon"}}}},
                           Json{{"namespaceSelector", {{"matchLabels", {{"t", 1}}}}}, {"precedence", 3}}}) {
    const Result<BuildPolicy> policy = parsePolicy({{"metadata", {{"name", "broken"}}}, {"spec", spec}});
    ASSERT_TRUE(policy);
    ASSERT_TRUE(policy->error) << spec;
    const Policies selected = selectPolicies({*policy}, {{"any", "label"}});
    EXPECT_THAT(queueRules(selected).heldBy, HasSubstr("BuildPolicy \"broken\" cannot be read")) << spec;
  }
  EXPECT_FALSE(parsePolicy(Json::object()));
}

// ---- the queue ----

TEST(QueueRules, TakeTheSmallestAndTheFirstHold) {
  const Policies with = policies({{"a", {{"limits", {{"runningBuilds", 5}, {"queues", {{{"name", "n"}, {"runningBuilds", 3}}}}}}}},
                                  {"b", {{"limits", {{"runningBuilds", 2}, {"queues", {{{"name", "n"}, {"runningBuilds", 4}}, {{"name", "m"}, {"runningBuilds", 1}}}}}},
                                         {"admission", "Hold"}, {"admissionMessage", "until 18:00"}}},
                                  {"c", {{"admission", "Hold"}}}});
  const queue::NamespaceRules rules = queueRules(with);
  EXPECT_EQ(rules.running, 2);
  EXPECT_EQ(rules.queues, (std::map<std::string, int>{{"n", 3}, {"m", 1}}));
  EXPECT_EQ(rules.heldBy, "BuildPolicy \"b\" holds new builds (admission: Hold): until 18:00");
  EXPECT_EQ(queueRules(nullptr), queue::NamespaceRules());
}

// ---- defaults ----

TEST_F(Rules, DefaultsFillWhatTheBuildLeavesOpen) {
  const Json defaults = Json::parse(R"({
    "output": {"secretRef": {"name": "push"}}, "imagePullSecrets": [{"name": "mirror"}],
    "registries": [{"host": "reg.example", "tls": "PlainHTTP"}, {"host": "mirror.example"}],
    "workspace": {"storageClassName": "fast", "size": "20Gi", "accessMode": "ReadWriteMany"},
    "execution": {"isolation": "Baseline", "maxParallelStages": 3,
      "resources": {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"memory": "8Gi"}},
      "nodeSelector": {"pool": "builds", "disk": "ssd"}, "tolerations": [{"key": "builds", "operator": "Exists"}]},
    "queue": "default", "timeout": "30m", "retention": {"pods": "Never"}})");
  const Policies with = policies({{"p", {{"defaults", defaults}}}});
  const api::ImageBuildSpec open = effective({}, with);
  EXPECT_EQ(open.output.secretRef, "push");
  EXPECT_THAT(open.imagePullSecrets, ElementsAre("mirror"));
  EXPECT_EQ(open.registries.size(), 2u);
  EXPECT_EQ(open.workspace.storageClassName, "fast");
  EXPECT_EQ(open.execution.isolation, api::Isolation::kBaseline);
  EXPECT_EQ(open.queue, "default");
  EXPECT_EQ(open.timeout, Millis(std::chrono::minutes(30)));
  EXPECT_EQ(open.retention.pods, api::PodRetention::kNever);
  EXPECT_EQ(open.execution.tolerations.size(), 1u);

  const api::ImageBuildSpec own = effective(Json::parse(R"({
    "output": {"secretRef": {"name": "mine"}}, "imagePullSecrets": [{"name": "own"}],
    "registries": [{"host": "reg.example", "tls": "Verify"}], "workspace": {"size": "5Gi"},
    "execution": {"isolation": "UserNamespace", "resources": {"limits": {"memory": "2Gi"}}, "nodeSelector": {"pool": "mine"}},
    "queue": "fast", "timeout": "2h", "retention": {"pods": "Always"}})"), with);
  EXPECT_EQ(own.output.secretRef, "mine");
  EXPECT_THAT(own.imagePullSecrets, ElementsAre("own", "mirror"));
  ASSERT_EQ(own.registries.size(), 2u);
  EXPECT_EQ(own.registries[0].tls, api::Tls::kVerify);
  EXPECT_EQ(own.workspace.size, "5Gi");
  EXPECT_EQ(own.workspace.storageClassName, "fast");
  EXPECT_EQ(own.execution.isolation, api::Isolation::kUserNamespace);
  EXPECT_EQ(own.execution.resources.limits.at("memory"), "2Gi");
  EXPECT_EQ(own.execution.resources.requests.at("memory"), "2Gi") << "lowered to the own limit";
  EXPECT_EQ(own.execution.resources.requests.at("cpu"), "1");
  EXPECT_EQ(own.execution.nodeSelector, (std::map<std::string, std::string>{{"pool", "mine"}, {"disk", "ssd"}}));
  EXPECT_EQ(own.timeout, Millis(std::chrono::hours(2)));

  const api::ImageBuildSpec claim = effective({{"workspace", {{"claimName", "cache"}}}}, with);
  EXPECT_EQ(claim.workspace.storageClassName, "") << "the claim is there already";
}

TEST_F(Rules, WhatHappensAroundRunsIsFilledFieldByField) {
  const Policies with = policies({{"p", Json::parse(R"({"defaults": {
      "queueTimeout": "6h", "retry": {"infrastructure": 5}, "onInputChange": "FinishFirst", "execution": {"network": "None"},
      "retention": {"podTTL": "2h", "workspace": "1h", "logs": "None", "history": 3, "ttlAfterFinished": "48h"}}})")}});
  const api::ImageBuildSpec open = effective({}, with);
  EXPECT_EQ(open.queueTimeout, Millis(std::chrono::hours(6)));
  EXPECT_EQ(open.retry.infrastructure, 5);
  EXPECT_EQ(open.onInputChange, api::OnInputChange::kFinishFirst);
  EXPECT_EQ(open.execution.network, api::Network::kNone);
  EXPECT_EQ(open.retention.podTTL, Millis(std::chrono::hours(2)));
  EXPECT_EQ(open.retention.workspace, Millis(std::chrono::hours(1)));
  EXPECT_EQ(open.retention.logs, api::LogRetention::kNone);
  EXPECT_EQ(open.retention.history, 3);
  EXPECT_EQ(open.retention.ttlAfterFinished, Millis(std::chrono::hours(48)));
  EXPECT_EQ(api::inputHash(open, ""), api::inputHash(specOf(), ""));
  const api::ImageBuildSpec own = effective(Json::parse(R"({"retry": {"infrastructure": 0}, "execution": {"network": "Default"},
      "onInputChange": "CancelAndRebuild", "retention": {"workspace": "Never", "history": 0}})"), with);
  EXPECT_EQ(own.retry.infrastructure, 0);
  EXPECT_EQ(own.execution.network, api::Network::kDefault);
  EXPECT_EQ(own.onInputChange, api::OnInputChange::kCancelAndRebuild);
  EXPECT_EQ(own.retention.workspace, Millis(0));
  EXPECT_EQ(own.retention.history, 0);
  EXPECT_EQ(own.retention.podTTL, Millis(std::chrono::hours(2)));
}

TEST_F(Rules, AProxyIsTakenAsAWhole) {
  const Policies with = policies({{"p", Json::parse(R"({"defaults": {"proxy": {"http": "http://p:1", "https": "http://p:2", "noProxy": "a"}}})")}});
  EXPECT_EQ(effective({}, with).proxy->https, "http://p:2");
  const api::ImageBuildSpec own = effective({{"proxy", {{"http", "http://own:1"}}}}, with);
  EXPECT_EQ(own.proxy->http, "http://own:1");
  EXPECT_EQ(own.proxy->https, "");
  EXPECT_EQ(own.proxy->noProxy, "");
  EXPECT_EQ(effective({{"proxy", Json::object()}}, with).proxy->http, "") << "an empty one means none";
  EXPECT_EQ(api::inputHash(effective({}, with), ""), api::inputHash(specOf(), ""));
}

TEST_F(Rules, TrustedCertificatesAreTakenAsAWhole) {
  const Policies with = policies({{"p", Json::parse(R"({"defaults": {"trustedCA": {"configMapKeyRef": {"name": "corp", "key": "ca.crt"}, "inRun": "Env"}}})")}});
  EXPECT_EQ(effective({}, with).trustedCA->configMapKeyRef.name, "corp");
  EXPECT_EQ(effective({}, with).trustedCA->inRun, api::CaInRun::kEnv);
  const api::ImageBuildSpec own = effective(Json::parse(R"({"trustedCA": {"configMapKeyRef": {"name": "own", "key": "k"}}})"), with);
  EXPECT_EQ(own.trustedCA->configMapKeyRef.name, "own");
  EXPECT_FALSE(own.trustedCA->inRun);
  EXPECT_EQ(api::inputHash(effective({}, with), ""), api::inputHash(specOf(), ""));
}

Json cacheDefault(const std::string& repository) {
  return {{"defaults", {{"cache", {{"mode", "Registry"}, {"repository", repository}}}}}};
}

TEST_F(Rules, ADefaultCacheIsOneOfTheNamespace) {
  const Policies with = policies({{"p", cacheDefault("reg.example/cache/$(namespace)/$(name)")},
                                  {"q", {{"defaults", {{"cache", {{"policy", "Refresh"}}}}}}}});
  const api::ImageBuildSpec open = effective({}, with);
  EXPECT_EQ(open.cache.mode, api::CacheMode::kRegistry);
  EXPECT_EQ(open.cache.repository, "reg.example/cache/team-a/app");
  EXPECT_EQ(open.cache.policy, api::CachePolicy::kRefresh);
  const api::ImageBuildSpec own = effective({{"cache", {{"mode", "Registry"}, {"repository", "reg.example/own"}}}}, with);
  EXPECT_EQ(own.cache.repository, "reg.example/own");
  const api::ImageBuildSpec none = effective({{"cache", {{"mode", "None"}}}}, with);
  EXPECT_EQ(none.cache.repository, "");
  EXPECT_EQ(effective({{"cache", {{"policy", "Use"}}}}, with).cache.repository, "reg.example/cache/team-a/app");
  for (const char* output : {R"({"output": {"image": "reg.example/cache/team-a/app:7"}})", R"({"output": {"image": "reg.example/cache/team-a/app"}})",
                             R"({"output": {"image": null, "repository": "reg.example/cache/team-a/app", "tags": ["1"]}})"}) {
    EXPECT_FALSE(effective(Json::parse(output), with).cache.mode) << output;
  }
  EXPECT_FALSE(check({}, policies({{"p", cacheDefault("reg.example/cache/$(namespace)")}, {"narrow", {{"allowed", {{"outputs", {"reg.example/team/*"}}}}}}})))
      << "what a policy gives needs no listing";
}

TEST_F(Rules, APolicyMayTurnTheCacheOfALaterOneOff) {
  const Policies with = policies({{"high", {{"precedence", 1}, {"defaults", {{"cache", {{"mode", "None"}}}}}}},
                                  {"low", cacheDefault("reg.example/$(namespace)/cache")}});
  EXPECT_EQ(effective({}, with).cache.mode, api::CacheMode::kNone);
  EXPECT_EQ(effective({}, with).cache.repository, "");
}

TEST(ParsePolicy, RefusesACacheThatNamespacesCouldShare) {
  for (const char* repository : {"reg.example/cache", "reg.example/$(name)", "reg.example/x-$(namespace)", "reg.example/$(namespace)-$(name)",
                                 "$(namespace)/cache", "reg.example/$(namespace)/Cache", "reg.example/$(namespace)/$(other)"}) {
    const Result<BuildPolicy> policy = parsePolicy({{"metadata", {{"name", "p"}}}, {"spec", cacheDefault(repository)}});
    ASSERT_TRUE(policy);
    EXPECT_TRUE(policy->error) << repository;
  }
  for (const char* repository : {"reg.example/$(namespace)", "reg.example:5000/c/$(namespace)/$(name)-cache", "team/$(namespace)"}) {
    policyOf("p", cacheDefault(repository));
  }
}

TEST_F(Rules, TheFirstPolicyThatSaysSomethingWins) {
  const Policies with = policies({{"low", {{"precedence", 1}, {"defaults", {{"timeout", "10m"}, {"queue", "low"}}}}},
                                  {"high", {{"precedence", 2}, {"defaults", {{"timeout", "20m"}}}}}});
  const api::ImageBuildSpec spec = effective({}, with);
  EXPECT_EQ(spec.timeout, Millis(std::chrono::minutes(20)));
  EXPECT_EQ(spec.queue, "low");
}

TEST_F(Rules, WhatIsLeftOpenIsKeptBelowTheLimits) {
  pods_.workspaceSize = "10Gi";
  const Policies with = policies({{"p", {{"limits", {{"timeout", "20m"}, {"workspaceSize", "4Gi"}, {"parallelStages", 2},
                                                      {"resources", {{"memory", "2Gi"}, {"cpu", 4}}}}},
                                          {"allowed", {{"isolation", {"UserNamespace"}}}}}}});
  const api::ImageBuildSpec spec = effective({{"execution", {{"isolation", "Auto"}}}}, with);
  EXPECT_EQ(spec.timeout, Millis(std::chrono::minutes(20)));
  EXPECT_EQ(spec.workspace.size, "4Gi");
  EXPECT_EQ(spec.execution.maxParallelStages, 2);
  EXPECT_EQ(spec.execution.isolation, api::Isolation::kUserNamespace);
  for (const api::Resources* of : {&spec.execution.resources, &spec.execution.prepare, &spec.execution.publish}) {
    EXPECT_EQ(of->limits.at("memory"), "2Gi");
    EXPECT_EQ(of->requests.at("memory"), "0") << "or the limit would become the request";
    EXPECT_EQ(of->limits.at("cpu"), "4");
  }
  EXPECT_FALSE(check({}, with));
  const api::ImageBuildSpec own = effective({{"execution", {{"resources", {{"limits", {{"memory", "1Gi"}}}}}}}}, with);
  EXPECT_EQ(own.execution.resources.limits.at("memory"), "1Gi");
  EXPECT_FALSE(own.execution.resources.requests.contains("memory"));
}

TEST_F(Rules, DefaultsAreNoInputs) {
  const Policies with = policies({{"p", {{"defaults", {{"queue", "q"}, {"timeout", "9m"}, {"output", {{"secretRef", {{"name", "push"}}}}}}}}}});
  EXPECT_EQ(api::inputHash(effective({}, with), "t"), api::inputHash(specOf(), "t"));
  EXPECT_NE(api::toJson(effective({}, with)), api::toJson(specOf()));
}

// ---- what is refused ----

TEST_F(Rules, EachRuleNamesItselfTheValueAndWhatIsAllowed) {
  struct Case {
    Json policy;
    Json build;
    std::string rule;
    std::string message;  ///< without `policy "p", rule: `
  };
  const std::vector<Case> cases = {
      {{{"allowed", {{"outputs", {"reg.example/$(namespace)/**", "other.example"}}}}}, {},
       "allowed.outputs", "the image would go to \"reg.example/team/app\"; allowed: reg.example/$(namespace)/**, other.example"},
      {{{"allowed", {{"outputs", {"reg.example/team/app"}}}}},
       {{"cache", {{"mode", "Registry"}, {"repository", "reg.example/else/cache"}}}},
       "allowed.outputs", "the cache would go to \"reg.example/else/cache\"; allowed: reg.example/team/app"},
      {{{"allowed", {{"outputs", Json::array()}}}}, {}, "allowed.outputs",
       "the image would go to \"reg.example/team/app\"; allowed: none"},
      {{{"allowed", {{"isolation", {"UserNamespace"}}}}}, {{"execution", {{"isolation", "Baseline"}}}},
       "allowed.isolation", "spec.execution.isolation is Baseline; allowed: UserNamespace"},
      {{{"allowed", {{"storageClasses", {"fast", "slow"}}}}}, {{"workspace", {{"storageClassName", "gold"}}}},
       "allowed.storageClasses", "spec.workspace.storageClassName is \"gold\"; allowed: fast, slow"},
      {{{"allowed", {{"storageClasses", {"fast"}}}}}, {}, "allowed.storageClasses",
       "spec.workspace.storageClassName is not set, and the cluster's default is not known; allowed: fast"},
      {{{"limits", {{"workspaceSize", "20Gi"}}}}, {{"workspace", {{"size", "21Gi"}}}},
       "limits.workspaceSize", "spec.workspace.size is 21Gi; at most 20Gi is allowed"},
      {{{"allowed", {{"nodeSelector", {{{"key", "pool"}, {"values", {"builds"}}}, {{"key", "disk"}}}}}}},
       {{"execution", {{"nodeSelector", {{"pool", "gpu"}}}}}},
       "allowed.nodeSelector", "spec.execution.nodeSelector asks for pool=gpu; allowed: pool=builds, disk=*"},
      {{{"allowed", {{"tolerations", {{{"key", "builds"}, {"values", {"yes"}}, {"effects", {"NoSchedule"}}}}}}}},
       {{"execution", {{"tolerations", {{{"operator", "Exists"}}}}}}},
       "allowed.tolerations", "spec.execution.tolerations asks for {\"operator\":\"Exists\"}; allowed: builds=yes:NoSchedule"},
      {{{"allowed", {{"priorityClasses", {"builds"}}}}}, {{"execution", {{"priorityClassName", "system-node-critical"}}}},
       "allowed.priorityClasses", "spec.execution.priorityClassName is \"system-node-critical\"; allowed: builds"},
      {{{"allowed", {{"runtimeClasses", Json::array()}}}}, {{"execution", {{"runtimeClassName", "kata"}}}},
       "allowed.runtimeClasses", "spec.execution.runtimeClassName is \"kata\"; allowed: none"},
      {{{"allowed", {{"serviceAccounts", {"builder"}}}}}, {{"execution", {{"serviceAccountName", "admin"}}}},
       "allowed.serviceAccounts", "spec.execution.serviceAccountName is \"admin\"; allowed: builder"},
      {{{"limits", {{"timeout", "1h"}}}}, {{"timeout", "90m"}},
       "limits.timeout", "spec.timeout is 1h30m; at most 1h is allowed"},
      {{{"limits", {{"parallelStages", 2}}}}, {{"execution", {{"maxParallelStages", 3}}}},
       "limits.parallelStages", "spec.execution.maxParallelStages is 3; at most 2 is allowed"},
      {{{"limits", {{"resources", {{"memory", "4Gi"}}}}}}, {{"execution", {{"publish", {{"resources", {{"requests", {{"memory", "5Gi"}}}}}}}}}},
       "limits.resources", "spec.execution.publish.resources.requests.memory is 5Gi; at most 4Gi is allowed"},
      {{{"limits", {{"resources", {{"cpu", "2"}}}}}},
       {{"execution", {{"stages", {{{"stage", "test"}, {"resources", {{"limits", {{"cpu", "2500m"}}}}}}}}}}},
       "limits.resources", "spec.execution.stages[test].resources.limits.cpu is 2500m; at most 2 is allowed"}};
  for (const Case& c : cases) {
    const std::optional<Violation> violation = check(c.build, policies({{"open", Json::object()}, {"p", c.policy}}));
    ASSERT_TRUE(violation) << c.rule << " " << c.build;
    EXPECT_EQ(violation->policy, "p");
    EXPECT_EQ(violation->rule, c.rule);
    EXPECT_EQ(violation->message, "policy \"p\", " + c.rule + ": " + c.message);
  }
}

TEST_F(Rules, WhatIsAllowedPasses) {
  const Json all = Json::parse(R"({
    "allowed": {"outputs": ["reg.example/team/*"], "isolation": ["UserNamespace", "Baseline"], "storageClasses": ["fast"],
      "nodeSelector": [{"key": "pool", "values": ["builds"]}], "tolerations": [{"key": "builds"}, {"key": "spot", "effects": ["NoSchedule"]}],
      "priorityClasses": ["low"], "runtimeClasses": ["kata"], "serviceAccounts": ["builder"]},
    "limits": {"timeout": "1h", "parallelStages": 4, "workspaceSize": "20Gi", "resources": {"memory": "4Gi", "cpu": "2"}}})");
  const Json build = Json::parse(R"({"timeout": "1h", "workspace": {"storageClassName": "fast", "size": "20Gi"},
    "execution": {"isolation": "Baseline", "maxParallelStages": 4, "resources": {"limits": {"memory": "4096Mi", "cpu": "2000m"}},
      "nodeSelector": {"pool": "builds"}, "tolerations": [{"key": "builds", "operator": "Exists"}, {"key": "spot", "value": "x", "effect": "NoSchedule"}],
      "priorityClassName": "low", "runtimeClassName": "kata", "serviceAccountName": "builder"}})");
  const auto violation = check(build, policies({{"p", all}}));
  EXPECT_FALSE(violation) << violation->message;
}

TEST_F(Rules, WhatReachesBeyondTheNamespaceNeedsAPolicy) {
  for (const auto& [field, rule] : {std::pair("priorityClassName", "allowed.priorityClasses"),
                                    std::pair("runtimeClassName", "allowed.runtimeClasses"),
                                    std::pair("serviceAccountName", "allowed.serviceAccounts")}) {
    const auto violation = check({{"execution", {{field, "x"}}}}, nullptr);
    ASSERT_TRUE(violation) << field;
    EXPECT_EQ(violation->rule, rule);
    EXPECT_EQ(violation->policy, "");
    EXPECT_THAT(violation->message, HasSubstr("no BuildPolicy of this namespace has " + std::string(rule)));
    EXPECT_TRUE(check({{"execution", {{field, "x"}}}}, policies({{"p", Json::object()}})));
  }
  // What a policy gives it allows.
  EXPECT_FALSE(check({}, policies({{"p", {{"defaults", {{"execution", {{"priorityClassName", "x"}}}}}}}})));
}

TEST_F(Rules, EveryPolicyMustBeSatisfied) {
  const Policies with = policies({{"wide", {{"allowed", {{"outputs", {"reg.example"}}}}}},
                                  {"narrow", {{"precedence", -9}, {"allowed", {{"outputs", {"reg.example/other/**"}}}}}}});
  const auto violation = check({}, with);
  ASSERT_TRUE(violation);
  EXPECT_EQ(violation->policy, "narrow");
}

TEST_F(Rules, TolerationsOfEverythingNeedTheStar) {
  const Policies some = policies({{"p", {{"allowed", {{"tolerations", {{{"key", "builds"}}}}}}}}});
  const Policies all = policies({{"p", {{"allowed", {{"tolerations", {{{"key", "*"}}}}}}}}});
  for (const char* toleration : {R"({"operator": "Exists"})", R"({"key": "other", "operator": "Exists"})"}) {
    const Json build = {{"execution", {{"tolerations", {Json::parse(toleration)}}}}};
    EXPECT_TRUE(check(build, some)) << toleration;
    EXPECT_FALSE(check(build, all)) << toleration;
  }
  const Policies valued = policies({{"p", {{"allowed", {{"tolerations", {{{"key", "builds"}, {"values", {"a"}}}}}}}}}});
  EXPECT_TRUE(check(Json::parse(R"({"execution": {"tolerations": [{"key": "builds", "operator": "Exists"}]}})"), valued));
  EXPECT_FALSE(check(Json::parse(R"({"execution": {"tolerations": [{"key": "builds", "value": "a"}]}})"), valued));
}

// ---- images ----

TEST(MatchesImage, KnowsRegistriesPathsAndTags) {
  struct Case {
    const char* pattern;
    const char* image;
    bool matches;
  };
  for (const Case& c : {Case{"docker.io", "golang:1.22", true},
                        {"docker.io/library/golang", "golang", true},
                        {"golang", "golang", false},
                        {"docker.io/library/*", "golang", true},
                        {"docker.io/*", "golang", false},
                        {"docker.io/**", "golang", true},
                        {"docker.io/library/golang:1.*", "golang:1.22-bookworm", true},
                        {"docker.io/library/golang:1.*", "golang:2", false},
                        {"docker.io/library/golang:latest", "golang", true},
                        {"docker.io/library/golang", "golang:anything", true},
                        {"docker.io/library/go", "golang", false},
                        {"reg.example:5000", "reg.example:5000/a/b", true},
                        {"reg.example", "reg.example:5000/a", false},
                        {"reg.example", "reg.example.evil.test/a", false},
                        {"*.example", "reg.example/a", true},
                        {"reg.example/team-a/**", "reg.example/team-a/x/y", true},
                        {"reg.example/team-a/**", "reg.example/team-ab/x", false},
                        {"reg.example/$(namespace)/*", "reg.example/team-a/x", true},
                        {"reg.example/$(namespace)/*", "reg.example/team-b/x", false},
                        {"reg.example/**/base", "reg.example/a/b/base", true},
                        {"reg.example/*/base", "reg.example/a/b/base", false},
                        {"reg.example:5000/x:1", "reg.example:5000/x:1", true}}) {
    const auto reference = oci::parseReference(c.image);
    ASSERT_TRUE(reference) << c.image;
    EXPECT_EQ(matchesImage(c.pattern, reference->repository, reference->tagOrLatest(), "team-a"), c.matches)
        << c.pattern << " " << c.image;
  }
}

/// Against the definition of the two stars, tried out in every way.
TEST(MatchesImage, AgreesWithTheDefinition) {
  std::function<bool(std::string_view, std::string_view)> slow = [&](std::string_view pattern, std::string_view text) {
    if (pattern.empty()) {
      return text.empty();
    }
    const bool two = pattern.starts_with("**");
    if (two || pattern[0] == '*') {
      const std::string_view rest = pattern.substr(two ? 2 : 1);
      for (std::size_t taken = 0; taken <= text.size(); ++taken) {
        if (slow(rest, text.substr(taken))) {
          return true;
        }
        if (!two && taken < text.size() && text[taken] == '/') {
          return false;
        }
      }
      return false;
    }
    return !text.empty() && pattern[0] == text[0] && slow(pattern.substr(1), text.substr(1));
  };
  std::mt19937 random(7);
  const auto word = [&](const char* alphabet, std::size_t letters, std::size_t most) {
    std::string out;
    for (std::size_t i = random() % most; i > 0; --i) {
      out += alphabet[random() % letters];
    }
    return out;
  };
  int matched = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string pattern = "r/" + word("ab/**", 5, 9);
    const oci::Repository repository{"r", word("ab/", 3, 9)};
    const bool wanted = slow(pattern, repository.str());
    matched += wanted ? 1 : 0;
    ASSERT_EQ(matchesImage(pattern, repository, "", ""), wanted) << pattern << " " << repository.str();
  }
  EXPECT_GT(matched, 1000);
}

TEST(CheckPlan, JudgesWhatThePodsWillRun) {
  const Policies with = policies({{"p", {{"allowed", {{"baseImages", {"reg.example/base/**", "docker.io/library/golang:1.*"}}}},
                                          {"limits", {{"stages", 3}}}}}});
  const std::string digest = "@sha256:" + std::string(64, '1');
  const auto base = [&](const std::string& name, const std::string& repository) {
    return Base{"build", name, repository + digest};
  };
  EXPECT_FALSE(checkPlan({}, 3, "ns", with)) << "only FROM scratch";
  EXPECT_FALSE(checkPlan({base("reg.example/base/go:1", "reg.example/base/go")}, 1, "ns", with));
  EXPECT_FALSE(checkPlan({base("golang:1.22", "docker.io/library/golang")}, 1, "ns", with));
  const auto violation = checkPlan({base("golang:2", "docker.io/library/golang")}, 1, "ns", with);
  ASSERT_TRUE(violation);
  EXPECT_EQ(violation->rule, "allowed.baseImages");
  EXPECT_EQ(violation->message,
            "policy \"p\", allowed.baseImages: stage \"build\" is based on \"golang:2\" (docker.io/library/golang); "
            "allowed: reg.example/base/**, docker.io/library/golang:1.*");
  EXPECT_TRUE(checkPlan({base("golang:1.22" + digest, "docker.io/library/golang")}, 1, "ns",
                        policies({{"p", {{"allowed", {{"baseImages", Json::array()}}}}}})));
  EXPECT_TRUE(checkPlan({base("reg.example/base/go:1", "evil.example/base/go")}, 1, "ns", with))
      << "the name is only a name";
  EXPECT_TRUE(checkPlan({base("golang" + digest, "docker.io/library/golang")}, 1, "ns", with)) << "no tag, no match";
  const auto many = checkPlan({}, 4, "ns", with);
  ASSERT_TRUE(many);
  EXPECT_EQ(many->rule, "limits.stages");
  EXPECT_EQ(many->message, "policy \"p\", limits.stages: the Dockerfile needs 4 stages; at most 3 are allowed");
  EXPECT_FALSE(checkPlan({base("evil/x", "docker.io/evil/x")}, 64, "ns", nullptr));
}

}  // namespace
}  // namespace stagewright::policy
