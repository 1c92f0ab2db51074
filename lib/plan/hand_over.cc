#include "lib/plan/hand_over.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace stagewright::plan {

namespace {

using Kind = SecretGrant::Kind;
constexpr std::array<std::pair<Kind, std::string_view>, 2> kKindNames = {
    {{Kind::kSecret, "secret"}, {Kind::kSsh, "ssh"}}};
constexpr std::size_t kMaxItems = 256;

std::string_view kindName(Kind kind) { return kKindNames[static_cast<std::size_t>(kind)].second; }

Result<Kind> readKind(const JsonReader& reader) {
  TRY(const std::string text, reader.string("kind"));
  for (const auto& [kind, name] : kKindNames) {
    if (name == text) {
      return kind;
    }
  }
  return reader.error("kind: expected secret or ssh, got " + quoted(text, 64));
}

}  // namespace

Json toJson(const std::vector<SecretGrant>& grants) {
  Json out = Json::array();
  for (const SecretGrant& grant : grants) {
    out.push_back({{"kind", kindName(grant.kind)},
                   {"id", grant.id},
                   {"secretName", grant.secretName},
                   {"key", grant.key}});
  }
  return out;
}

Result<std::vector<SecretGrant>> parseGrants(std::string_view text) {
  TRY(const Json json, parseJson(text));
  const Json wrapped = {{"grants", json}};
  TRY(const auto items, JsonReader(wrapped).array("grants"));
  if (items.size() > kMaxItems) {
    return invalid("grants: too many");
  }
  std::vector<SecretGrant> out;
  for (const JsonReader& item : items) {
    SecretGrant& grant = out.emplace_back();
    TRY(grant.kind, readKind(item));
    TRY(grant.id, item.string("id"));
    TRY(grant.secretName, item.string("secretName"));
    TRY(grant.key, item.string("key"));
  }
  return out;
}

Json toJson(const HandOver& handOver) {
  Json items = Json::array();
  for (const HandOver::Item& item : handOver.items) {
    items.push_back({{"kind", kindName(item.kind)}, {"id", item.id}, {"file", item.file}});
  }
  return {{"items", std::move(items)}, {"problem", handOver.problem}};
}

Result<HandOver> parseHandOver(std::string_view text) {
  TRY(const Json json, parseJson(text));
  const JsonReader reader(json);
  CHECK_OK(reader.mustBeObject());
  HandOver out;
  TRY(out.problem, reader.string("problem", ""));
  TRY(const auto items, reader.array("items"));
  if (items.size() > kMaxItems) {
    return reader.error("items: too many");
  }
  for (const JsonReader& entry : items) {
    HandOver::Item& item = out.items.emplace_back();
    TRY(item.kind, readKind(entry));
    TRY(item.id, entry.string("id"));
    TRY(item.file, entry.string("file"));
    if (item.file.empty() || item.file.find_first_not_of("0123456789") != std::string::npos) {
      return entry.error("file: expected digits");
    }
  }
  return out;
}

}  // namespace stagewright::plan
