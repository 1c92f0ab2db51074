// Collects findings under the options of the file and of single instructions (§2.5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/dockerfile/checks.h"

namespace stagewright::dockerfile {

class CheckSink {
 public:
  explicit CheckSink(CheckOptions options) : options_(std::move(options)) {}

  /// Adds a finding unless it is switched off by the file's options or by a `# check=` comment
  /// among `comments`.
  void add(std::string_view rule, std::string message, const SourceRange& range,
           const std::vector<std::string>& comments = {});

  /// The findings in the order of the file.
  CheckReport take() &&;

 private:
  CheckOptions options_;
  std::vector<Finding> findings_;
};

}  // namespace stagewright::dockerfile
