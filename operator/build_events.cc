#include "operator/build_events.h"

#include "lib/api/image_build.h"

namespace stagewright::op {

void BuildEvents::record(const api::ImageBuild& build, const lifecycle::EventNote& note) {
  const api::Metadata& metadata = build.metadata;
  const kube::EventTarget target{std::string(api::kApiVersion),
                                 std::string(api::kKind),
                                 metadata.namespace_,
                                 metadata.name,
                                 metadata.uid,
                                 metadata.resourceVersion};
  recorder_.record(target, {note.warning ? "Warning" : "Normal", note.reason, note.note}, "Build");
}

}  // namespace stagewright::op
