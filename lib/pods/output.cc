#include "lib/oci/reference.h"
#include "lib/pods/pods.h"

namespace stagewright::pods {

namespace {
constexpr std::string_view kRevision = "$(source.revision)";
constexpr std::string_view kShortRevision = "$(source.revision.short)";
constexpr std::size_t kShortLength = 8;

void replaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

Result<std::string> resolveTag(const std::string& tag, std::string_view revision, std::size_t i) {
  const std::string path = "spec.output.tags[" + std::to_string(i) + "]";
  std::string out = tag;
  if (out.find("$(") != std::string::npos && revision.empty()) {
    return invalid(path + ": asks for the source's revision, but the source has none");
  }
  replaceAll(out, kShortRevision, revision.substr(0, kShortLength));
  replaceAll(out, kRevision, revision);
  if (!oci::isValidTag(out)) {
    return invalid(path + ": " + quoted(out, 160) + " is not a tag");
  }
  return out;
}

Result<OutputTarget> fromImage(const std::string& image) {
  Result<oci::Reference> reference = oci::parseReference(image);
  if (!reference) {
    return std::move(reference).error().during("spec.output.image");
  }
  if (reference->digest) {
    return invalid("spec.output.image: an output has a tag, not a digest");
  }
  return OutputTarget{reference->repository.str(), {reference->tagOrLatest()}};
}
}  // namespace

Result<OutputTarget> resolveOutput(const api::Output& output, std::string_view revision) {
  if (!output.image.empty()) {
    return fromImage(output.image);
  }
  Result<oci::Repository> repository = oci::parseRepository(output.repository);
  if (!repository) {
    return std::move(repository).error().during("spec.output.repository");
  }
  if (output.tags.empty()) {
    return invalid("spec.output.tags: needs at least one tag");
  }
  OutputTarget out{repository->str(), {}};
  for (std::size_t i = 0; i < output.tags.size(); ++i) {
    TRY(std::string tag, resolveTag(output.tags[i], revision, i));
    out.tags.push_back(std::move(tag));
  }
  return out;
}

}  // namespace stagewright::pods
