#include "lib/kube/store.h"

#include <nlohmann/json.hpp>

namespace stagewright::kube {

namespace {

std::string metadataText(const Json& object, const char* key) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) {
    return "";
  }
  const auto value = metadata->find(key);
  return value == metadata->end() || !value->is_string() ? "" : value->get<std::string>();
}

std::vector<Json> parseAll(const std::vector<std::shared_ptr<const PackedText>>& texts) {
  std::vector<Json> out;
  out.reserve(texts.size());
  for (const auto& text : texts) {
    out.push_back(Json::parse(text->text()));  // our own dump: it cannot fail
  }
  return out;
}

}  // namespace

std::string keyOf(const Json& object) {
  const std::string ns = metadataText(object, "namespace");
  const std::string name = metadataText(object, "name");
  return ns.empty() ? name : ns + "/" + name;
}

std::optional<Json> Store::get(const std::string& key) const {
  Text text;
  {
    auto state = state_.lock();
    const auto it = state->entries.find(key);
    if (it == state->entries.end()) {
      return std::nullopt;
    }
    text = it->second.text;
  }
  return Json::parse(text->text());
}

std::vector<Json> Store::inGroup(const std::string& group) const {
  std::vector<Text> texts;
  {
    auto state = state_.lock();
    if (const auto it = state->groups.find(group); it != state->groups.end()) {
      for (const std::string& key : it->second) {
        texts.push_back(state->entries.at(key).text);
      }
    }
  }
  return parseAll(texts);
}

std::vector<Json> Store::all() const {
  std::vector<Text> texts;
  {
    auto state = state_.lock();
    for (const auto& [key, entry] : state->entries) {
      texts.push_back(entry.text);
    }
  }
  return parseAll(texts);
}

std::vector<std::string> Store::keys() const {
  auto state = state_.lock();
  std::vector<std::string> out;
  out.reserve(state->entries.size());
  for (const auto& [key, entry] : state->entries) {
    out.push_back(key);
  }
  return out;
}

std::size_t Store::size() const { return state_.lock()->entries.size(); }

std::string Store::versionOf(const std::string& key) const {
  auto state = state_.lock();
  const auto it = state->entries.find(key);
  return it == state->entries.end() ? "" : it->second.version;
}

void Store::put(const Json& object) {
  const std::string key = keyOf(object);
  Entry entry{std::make_shared<const PackedText>(dumpJson(object)),
              metadataText(object, "resourceVersion"), index_ ? index_(object) : ""};
  auto state = state_.lock();
  Entry& slot = state->entries[key];
  if (slot.group != entry.group) {
    unindex(*state, key, slot.group);
  }
  if (!entry.group.empty()) {
    state->groups[entry.group].insert(key);
  }
  slot = std::move(entry);
}

void Store::erase(const std::string& key) {
  auto state = state_.lock();
  const auto it = state->entries.find(key);
  if (it != state->entries.end()) {
    unindex(*state, key, it->second.group);
    state->entries.erase(it);
  }
}

void Store::unindex(State& state, const std::string& key, const std::string& group) {
  const auto it = state.groups.find(group);
  if (it != state.groups.end() && it->second.erase(key) > 0 && it->second.empty()) {
    state.groups.erase(it);
  }
}

}  // namespace stagewright::kube
