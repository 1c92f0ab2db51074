#include "lib/plan/history_text.h"

#include "lib/dockerfile/values.h"

namespace stagewright::plan {

namespace {

constexpr std::string_view kLayerSuffix = " # buildkit";

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    out += (&word == &words.front() ? "" : " ") + word;
  }
  return out;
}

}  // namespace

std::string runHistory(const std::vector<std::string>& argv, const std::vector<DeclaredArg>& args,
                       const dockerfile::Environment& variables) {
  std::string out = "RUN ";
  if (!args.empty()) {
    out += "|" + std::to_string(args.size()) + " ";
  }
  for (const auto& [name, declared] : args) {
    const auto value = variables.find(name);
    out += name + "=" + (value ? std::string(*value) : declared.value_or("")) + " ";
  }
  return out + joined(argv) + std::string(kLayerSuffix);
}

std::string copyHistory(std::string_view instruction, const dockerfile::Transfer& transfer,
                        bool parents) {
  std::string out(instruction);
  out += parents ? " --parents" : "";
  out += transfer.chown.empty() ? "" : " --chown=" + transfer.chown;
  out += transfer.chmod.empty() ? "" : " --chmod=" + transfer.chmod;
  for (const std::string& source : transfer.sources) {
    out += " " + source;
  }
  for (const dockerfile::Heredoc& content : transfer.contents) {
    out += " <<" + content.name;
  }
  return out + " " + transfer.destination + std::string(kLayerSuffix);
}

std::string pairsHistory(std::string_view instruction,
                         const std::vector<dockerfile::KeyValue>& pairs) {
  std::string out(instruction);
  for (const dockerfile::KeyValue& pair : pairs) {
    out += " " + pair.key + "=" + pair.value;
  }
  return out;
}

std::string argHistory(const std::vector<DeclaredArg>& args) {
  std::string out = "ARG";
  for (const auto& [name, value] : args) {
    out += " " + name + (value ? "=" + *value : "");
  }
  return out;
}

std::string listHistory(std::string_view instruction, const std::vector<std::string>& values) {
  return std::string(instruction) + " [" + joined(values) + "]";
}

std::string quotedHistory(std::string_view instruction, const std::vector<std::string>& values) {
  std::vector<std::string> quotedValues;
  for (const std::string& value : values) {
    quotedValues.push_back(dockerfile::goQuoted(value));
  }
  return listHistory(instruction, quotedValues);
}

std::string healthHistory(const oci::HealthConfig& health) {
  return "HEALTHCHECK {Test:[" + joined(health.test) +
         "] Interval:" + dockerfile::formatGoDuration(health.interval) +
         " Timeout:" + dockerfile::formatGoDuration(health.timeout) +
         " StartPeriod:" + dockerfile::formatGoDuration(health.startPeriod) +
         " StartInterval:" + dockerfile::formatGoDuration(health.startInterval) +
         " Retries:" + std::to_string(health.retries) + "}";
}

}  // namespace stagewright::plan
