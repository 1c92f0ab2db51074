// Command line options: a table in, an ordered list out. Order matters where options form groups.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::cli {

struct Option {
  std::string_view name;   ///< --creds, -o
  std::string_view value;  ///< what help calls its value; empty: a switch
  std::string_view help;
};

class Arguments {
 public:
  struct Given {
    std::string_view name;  ///< that of the table
    std::string value;
  };

  /// `--name value`, `--name=value`; `--` ends the options. kInvalid names an option that is
  /// unknown, lacks its value or has one too many. --help and -h are known to every table.
  static Result<Arguments> parse(const std::vector<std::string>& args,
                                 const std::vector<Option>& table);

  bool has(std::string_view name) const { return last(name).has_value(); }
  /// The last one counts.
  std::optional<std::string> last(std::string_view name) const;
  std::string last(std::string_view name, std::string fallback) const;
  const std::vector<Given>& given() const { return given_; }
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::vector<Given> given_;
  std::vector<std::string> positional_;
};

/// The table as indented lines.
std::string describeOptions(const std::vector<Option>& table);

}  // namespace stagewright::cli
