#include "cli/check_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "lib/base/clean_text.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/dockerfile/checks.h"
#include "lib/dockerfile/parser.h"
#include "local/build_input.h"

namespace stagewright::cli {

namespace {

std::string shown(const std::string& text) { return cleanText(text, kMaxShown); }

const std::vector<Option>& checkOptions() {
  static const std::vector<Option> kOptions = {
      {"-f", "FILE", "the Dockerfile; `-` is standard input (default: DIRECTORY/Dockerfile)"},
      {"--file", "FILE", "the same as -f"},
      {"--format", "FORMAT", "text or json"},
      {"--target", "STAGE", "check only what this stage needs (default: every stage)"},
      {"--build-arg", "NAME=VALUE", "value of an ARG"},
  };
  return kOptions;
}

bool isFile(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && !S_ISDIR(st.st_mode);
}

Result<dockerfile::Source> loadSource(const Arguments& arguments, const std::string& directory,
                                      std::string& path) {
  const std::string wanted = arguments.last("-f", arguments.last("--file", ""));
  dockerfile::Source source;
  if (wanted == "-") {
    TRY(source.text, loadFile("/dev/stdin", dockerfile::kMaxFileBytes));
    return source;
  }
  path = wanted.empty() ? directory + "/Dockerfile" : wanted;
  if (wanted.empty() && !isFile(path) && isFile(directory + "/dockerfile")) {
    path = directory + "/dockerfile";
  } else if (!wanted.empty() && !isFile(path)) {
    path = directory + "/" + wanted;
  }
  TRY(source.text, loadFile(path, dockerfile::kMaxFileBytes));
  source.name = wanted.empty() ? path.substr(path.rfind('/') + 1) : wanted;
  return source;
}

Json toJson(const SourceRange& range) {
  return {{"file", range.file},
          {"line", range.line},
          {"column", range.column},
          {"endLine", range.endLine}};
}

Json toJson(const dockerfile::Finding& finding) {
  return {{"rule", finding.rule},           {"level", finding.level},
          {"message", finding.message},     {"url", finding.url},
          {"range", toJson(finding.range)}, {"description", finding.description}};
}

void printReport(const dockerfile::Source& source, const dockerfile::CheckReport& report,
                 bool json) {
  if (json) {
    Json findings = Json::array();
    for (const dockerfile::Finding& finding : report.findings) {
      findings.push_back(toJson(finding));
    }
    std::puts(dumpJson({{"findings", std::move(findings)}, {"error", report.violation()}}).c_str());
    return;
  }
  for (const dockerfile::Finding& finding : report.findings) {
    std::printf("%s\n\n", shown(dockerfile::formatFinding(source, finding)).c_str());
  }
  std::printf("%zu finding%s\n", report.findings.size(), report.findings.size() == 1 ? "" : "s");
  if (report.error) {
    std::fprintf(stderr, "%s\n", shown(report.violation()).c_str());
  }
}

int printError(const Error& error, bool json) {
  if (json) {
    Json out{{"findings", Json::array()}, {"error", error.message}};
    if (error.where) {
      out["range"] = toJson(*error.where);
    }
    std::puts(dumpJson(out).c_str());
  } else {
    std::fprintf(stderr, "%s\n", shown(error.message).c_str());
  }
  return kFailure;
}

Result<dockerfile::CheckInputs> makeInputs(const Arguments& arguments) {
  dockerfile::CheckInputs inputs;
  inputs.target = arguments.last("--target", "");
  inputs.allStages = inputs.target.empty();
  for (const Arguments::Given& given : arguments.given()) {
    if (given.name == "--build-arg" && given.value.find('=') != std::string::npos) {
      inputs.buildArgs[given.value.substr(0, given.value.find('='))] =
          given.value.substr(given.value.find('=') + 1);
    }
  }
  return inputs;
}

}  // namespace

int runCheckOf(const Arguments& arguments) {
  const std::string format = arguments.last("--format", "text");
  if ((format != "text" && format != "json") || arguments.positional().size() > 1) {
    std::fputs("usage: stagewright check [--format text|json] [-f FILE] [DIRECTORY]\n", stderr);
    return kUsageError;
  }
  const bool json = format == "json";
  const std::string directory =
      arguments.positional().empty() ? "." : arguments.positional().front();
  std::string path;
  const auto source = loadSource(arguments, directory, path);
  if (!source) {
    return printError(source.error(), json);
  }
  const auto file = dockerfile::parseDockerfile(*source);
  if (!file) {
    return printError(file.error(), json);
  }
  bool hasIgnoreFile = false;
  const auto ignore = local::loadIgnoreFile(directory, path, &hasIgnoreFile);
  if (!ignore) {
    return printError(ignore.error(), json);
  }
  auto inputs = makeInputs(arguments);
  inputs->ignore = hasIgnoreFile ? &*ignore : nullptr;
  const auto report = dockerfile::checkFile(*source, *file, *inputs);
  if (!report) {
    return printError(report.error(), json);
  }
  printReport(*source, *report, json);
  return report->error ? kFailure : kSuccess;
}

int runCheckCommand(const std::vector<std::string>& args) {
  const auto arguments = Arguments::parse(args, checkOptions());
  if (!arguments) {
    std::fprintf(stderr, "stagewright check: %s\n", arguments.error().message.c_str());
    return kUsageError;
  }
  if (arguments->has("--help") || arguments->has("-h")) {
    std::printf(
        "usage: stagewright check [options] [DIRECTORY]\n\nChecks a Dockerfile without building "
        "it.\n\n%s",
        describeOptions(checkOptions()).c_str());
    return kSuccess;
  }
  return runCheckOf(*arguments);
}

}  // namespace stagewright::cli
