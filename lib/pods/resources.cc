#include "lib/pods/resources.h"

#include <algorithm>

#include "lib/pods/quantity.h"

namespace stagewright::pods {

namespace {
using Quantities = std::map<std::string, std::string>;

/// What the scheduler will count: a limit without a request is a request.
Quantities effectiveRequests(const api::Resources& resources) {
  Quantities out = resources.limits;
  for (const auto& [name, amount] : resources.requests) {
    out[name] = amount;
  }
  return out;
}

void raiseTo(api::Resources& resources, const Quantities& least) {
  for (const auto& [name, amount] : least) {
    std::string& request = resources.requests[name];
    if (request.empty() || quantityLess(request, amount)) {
      request = amount;
    }
    const auto limit = resources.limits.find(name);
    if (limit != resources.limits.end() && quantityLess(limit->second, request)) {
      limit->second = request;
    }
  }
}

}  // namespace

api::Resources mergeResources(const api::Resources& under, const api::Resources& over) {
  api::Resources out = under;
  for (const auto& [name, amount] : over.limits) {
    out.limits[name] = amount;
    const auto request = out.requests.find(name);
    if (request != out.requests.end() && quantityLess(amount, request->second)) {
      request->second = amount;
    }
  }
  for (const auto& [name, amount] : over.requests) {
    out.requests[name] = amount;
    const auto limit = out.limits.find(name);
    if (limit != out.limits.end() && over.limits.count(name) == 0 &&
        quantityLess(limit->second, amount)) {
      limit->second = amount;
    }
  }
  return out;
}

api::Resources stageResources(const api::ImageBuildSpec& spec, const PodSettings& settings,
                              std::string_view name, int index) {
  const api::Resources all = mergeResources(settings.stageResources, spec.execution.resources);
  return mergeResources(all, stageSettings(spec, name, index).resources);
}

api::Resources prepareResources(const api::ImageBuildSpec& spec, const PodSettings& settings) {
  const api::Resources all = mergeResources(settings.stageResources, spec.execution.resources);
  api::Resources out = mergeResources(settings.prepareResources, spec.execution.prepare);
  raiseTo(out, effectiveRequests(all));
  for (const api::StageSettings& own : spec.execution.stages) {
    raiseTo(out, effectiveRequests(mergeResources(all, own.resources)));
  }
  return out;
}

api::Resources publishResources(const api::ImageBuildSpec& spec, const PodSettings& settings) {
  return mergeResources(settings.publishResources, spec.execution.publish);
}

}  // namespace stagewright::pods
