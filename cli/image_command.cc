#include "cli/image_command.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/cluster_access.h"
#include "cli/command.h"
#include "cli/image_build.h"
#include "cli/image_export.h"
#include "cli/image_inspect.h"
#include "cli/image_write.h"
#include "cli/registry_options.h"
#include "lib/base/clean_text.h"

namespace stagewright::cli {

namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Result<oci::Reference> readReference(const Arguments& arguments) {
  if (arguments.positional().size() != 1) {
    return invalid("expected one image reference, got " +
                   std::to_string(arguments.positional().size()));
  }
  return oci::parseReference(arguments.positional()[0]);
}

Result<oci::Platform> readPlatform(const Arguments& arguments) {
  return oci::parsePlatform(arguments.last("--platform", "linux/amd64"));
}

Status push(const Arguments& arguments) {
  TRY(oci::Reference reference, readReference(arguments));
  if (reference.digest) {
    return invalid("push needs a tag, not a digest");
  }
  TRY(WorkDirectory work, WorkDirectory::make());
  TRY(BuiltImage image, buildImage(arguments, work));
  TRY(RegistryAccess access, makeRegistryAccess(arguments, reference));
  CHECK_OK(pushImage(image, reference, *access.client));
  print(reference.pinned(image.digest()) + "\n");
  return ok();
}

Status pack(const Arguments& arguments) {
  const auto path = arguments.last("-o");
  if (!path || arguments.positional().size() > 1) {
    return invalid("pack needs -o FILE.tar and at most one name");
  }
  std::string name;
  if (!arguments.positional().empty()) {
    TRY(oci::Reference reference, readReference(arguments));
    name = reference.repository.str() + ":" + reference.tagOrLatest();
  }
  TRY(WorkDirectory work, WorkDirectory::make());
  TRY(BuiltImage image, buildImage(arguments, work));
  CHECK_OK(saveImageLayout(image, name, *path));
  print(image.digest().str() + "\n");
  return ok();
}

Status inspect(const Arguments& arguments) {
  TRY(oci::Reference reference, readReference(arguments));
  TRY(oci::Platform platform, readPlatform(arguments));
  TRY(RegistryAccess access, makeRegistryAccess(arguments, reference));
  TRY(InspectedImage inspected, fetchInspection(reference, platform, *access.client));
  print(arguments.has("--json")
            ? makeInspectionJson(inspected).dump(2, ' ', false, Json::error_handler_t::replace) +
                  "\n"
            : makeInspectionText(inspected));
  return ok();
}

Status digest(const Arguments& arguments) {
  TRY(oci::Reference reference, readReference(arguments));
  TRY(RegistryAccess access, makeRegistryAccess(arguments, reference));
  TRY(oci::Digest found, access.client->fetchDigest(reference, {}));
  print(found.str() + "\n");
  return ok();
}

Status exportTree(const Arguments& arguments) {
  TRY(oci::Reference reference, readReference(arguments));
  if (arguments.has("-o") == arguments.has("--tree")) {
    return invalid("export needs either -o FILE.tar or --tree");
  }
  TRY(oci::Platform platform, readPlatform(arguments));
  TRY(RegistryAccess access, makeRegistryAccess(arguments, reference));
  TRY(WorkDirectory work, WorkDirectory::make());
  TRY(ExportedImage image, fetchTree(reference, platform, *access.client, work));
  if (const auto path = arguments.last("-o")) {
    return saveTree(image, *path);
  }
  print(listTree(image.tree));
  return ok();
}

struct Verb {
  std::string_view name;
  std::string_view usage;
  std::string_view summary;
  std::vector<Option> options;
  Status (*run)(const Arguments&);
};

const std::vector<Verb>& verbs() {
  const Option platform = {"--platform", "OS/ARCH", "which image of an index; default linux/amd64"};
  static const std::vector<Verb> kVerbs = {
      {"push", "[options] NAME:TAG", "make an image out of files and push it; prints its reference",
       together(contentOptions(), registryOptions()), push},
      {"pack", "[options] -o FILE.tar [NAME:TAG]",
       "the same into an OCI archive; prints its digest",
       together({{"-o", "FILE.tar", "where it goes"}}, contentOptions()), pack},
      {"inspect", "[options] REFERENCE", "manifest, sizes and config",
       together({{"--json", "", "everything, as JSON"}, platform}, registryOptions()), inspect},
      {"digest", "[options] REFERENCE", "the digest a tag points at", registryOptions(), digest},
      {"export", "[options] REFERENCE", "the file tree that the layers make",
       together({{"-o", "FILE.tar", "write it as a tar"},
                 {"--tree", "", "list it: path, type, mode, uid, gid, size, sha256, link, xattrs"},
                 platform},
                registryOptions()),
       exportTree},
  };
  return kVerbs;
}

void printUsage(std::FILE* to) {
  std::fputs("usage: stagewright image VERB [options]\n\n", to);
  for (const Verb& verb : verbs()) {
    std::fprintf(to, "  %-9s %s\n", std::string(verb.name).c_str(),
                 std::string(verb.summary).c_str());
  }
  std::fputs("\n`stagewright image VERB --help` lists the options.\n", to);
}

int runVerb(const Verb& verb, const std::vector<std::string>& args) {
  const std::string name = "stagewright image " + std::string(verb.name);
  const Result<Arguments> arguments = Arguments::parse(args, verb.options);
  if (!arguments) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), arguments.error().message.c_str());
    return kUsageError;
  }
  if (arguments->has("--help")) {
    print("usage: " + name + " " + std::string(verb.usage) + "\n\n" + std::string(verb.summary) +
          "\n\n" + describeOptions(verb.options));
    return kSuccess;
  }
  if (const Status done = verb.run(*arguments); !done) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), cleanText(done.error().message, kMaxShown).c_str());
    return kFailure;
  }
  return kSuccess;
}

}  // namespace

int runImageCommand(const std::vector<std::string>& args) {
  const std::string name = args.empty() ? "" : args[0];
  for (const Verb& verb : verbs()) {
    if (verb.name == name) {
      return runVerb(verb, {args.begin() + 1, args.end()});
    }
  }
  const bool help = name == "--help" || name == "-h";
  if (!help && !name.empty()) {
    std::fprintf(stderr, "stagewright image: unknown verb \"%s\"\n", name.c_str());
  }
  printUsage(help ? stdout : stderr);
  return help ? kSuccess : kUsageError;
}

}  // namespace stagewright::cli
