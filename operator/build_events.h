// Notes of a plan as Events on the ImageBuild.
#pragma once

#include "lib/kube/events.h"
#include "operator/applier.h"

namespace stagewright::op {

class BuildEvents final : public EventSink {
 public:
  explicit BuildEvents(kube::EventRecorder& recorder) : recorder_(recorder) {}
  void record(const api::ImageBuild& build, const lifecycle::EventNote& note) override;

 private:
  kube::EventRecorder& recorder_;
};

}  // namespace stagewright::op
