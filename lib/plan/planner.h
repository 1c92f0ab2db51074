// From a parsed Dockerfile to the plan (reference sections 4 to 7, 9). Pure: whoever knows the
// network calls neededImages() until it names nothing new, resolves what it names, and then calls
// planBuild().
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/ignore.h"
#include "lib/dockerfile/instruction.h"
#include "lib/dockerfile/source.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/plan/plan.h"

namespace stagewright::plan {

/// A base image as the registry has it.
struct BaseImage {
  std::string reference;  ///< repository@digest of the platform's manifest
  oci::ImageConfig config;
  std::vector<oci::Descriptor> layers;  ///< of the manifest; as many as config.diffIds
};

/// A further context under a name (section 7.5). It replaces the stage of that name and what FROM,
/// COPY --from and a mount's from name.
struct NamedContext {
  enum class Kind {
    kImage,      ///< docker-image://`image`
    kScratch,    ///< docker-image://scratch
    kDirectory,  ///< files, to copy from, to mount and to build upon
  };
  std::string name;  ///< may end in `::os/arch` for one platform only
  Kind kind = Kind::kDirectory;
  std::string image;
};

struct PlanInput {
  dockerfile::Source source;                                   ///< for places in messages
  dockerfile::ParsedFile file;                                 ///< of `source`
  std::vector<std::pair<std::string, std::string>> buildArgs;  ///< of one name the last counts
  /// Variables that every RUN sees unless a build argument or ENV says otherwise: HTTP_PROXY and
  /// the like, in any spelling. Part of no key and no history, declared by ARG or not.
  std::vector<std::pair<std::string, std::string>> proxies;
  /// A file of certificates, in a stage's container, that every RUN learns of in the same way; may
  /// be empty.
  std::string authorities;
  std::vector<std::pair<std::string, std::string>>
      labels;          ///< override LABEL, without a history entry
  std::string target;  ///< stage name; empty: the last stage
  oci::Platform platform;
  oci::Platform buildPlatform;  ///< BUILDPLATFORM
  std::vector<NamedContext> contexts;
  const dockerfile::IgnoreMatcher* ignore =
      nullptr;  ///< of the main context, for the build checks; may be null
};

struct NeededImage {
  std::string key;   ///< of KnownImages
  std::string name;  ///< as written, expanded: golang:1.22
  oci::Platform platform;
  SourceRange where;       ///< the FROM, COPY or RUN that names it
  std::string suggestion;  ///< a stage whose name is near, if any
};
using KnownImages = std::map<std::string, BaseImage>;

/// Images that the target needs and `known` lacks, each once. The ONBUILD triggers of known images
/// may name further ones: call again with these added until the list is empty. Errors: kInvalid
/// with place and excerpt, worded as sections 5 to 7 give it.
Result<std::vector<NeededImage>> neededImages(const PlanInput& input, const KnownImages& known);

/// `cause` (it could not be resolved) shown at the place that names the image; code and retryAfter
/// are kept.
Error imageError(const PlanInput& input, const NeededImage& image, Error cause);

/// The plan. REQUIRES: neededImages(input, known) is empty. Errors: as neededImages().
Result<BuildPlan> planBuild(const PlanInput& input, const KnownImages& known);

}  // namespace stagewright::plan
