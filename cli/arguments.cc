#include "cli/arguments.h"

#include <algorithm>

namespace stagewright::cli {

namespace {

constexpr Option kHelp = {"--help", "", "print this text"};

const Option* findOption(const std::vector<Option>& table, std::string_view name) {
  if (name == "-h" || name == kHelp.name) {
    return &kHelp;
  }
  auto it =
      std::find_if(table.begin(), table.end(), [&](const Option& o) { return o.name == name; });
  return it == table.end() ? nullptr : &*it;
}

}  // namespace

Result<Arguments> Arguments::parse(const std::vector<std::string>& args,
                                   const std::vector<Option>& table) {
  Arguments out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--") {
      out.positional_.insert(out.positional_.end(),
                             args.begin() + static_cast<std::ptrdiff_t>(i) + 1, args.end());
      break;
    }
    if (arg.size() < 2 || arg[0] != '-') {
      out.positional_.push_back(arg);
      continue;
    }
    const std::size_t equals = arg.starts_with("--") ? arg.find('=') : std::string::npos;
    const Option* option = findOption(table, std::string_view(arg).substr(0, equals));
    if (option == nullptr) {
      return invalid("unknown option " + arg.substr(0, equals));
    }
    if (option->value.empty()) {
      if (equals != std::string::npos) {
        return invalid(std::string(option->name) + " takes no value");
      }
      out.given_.push_back({option->name, ""});
    } else if (equals != std::string::npos) {
      out.given_.push_back({option->name, arg.substr(equals + 1)});
    } else if (i + 1 < args.size()) {
      out.given_.push_back({option->name, args[++i]});
    } else {
      return invalid(std::string(option->name) + " needs a value: " + std::string(option->value));
    }
  }
  return out;
}

std::optional<std::string> Arguments::last(std::string_view name) const {
  for (auto it = given_.rbegin(); it != given_.rend(); ++it) {
    if (it->name == name) {
      return it->value;
    }
  }
  return std::nullopt;
}

std::string Arguments::last(std::string_view name, std::string fallback) const {
  return last(name).value_or(std::move(fallback));
}

std::string describeOptions(const std::vector<Option>& table) {
  std::string text;
  for (const Option& option : table) {
    std::string left = "  " + std::string(option.name) + (option.value.empty() ? "" : " ") +
                       std::string(option.value);
    left.resize(std::max<std::size_t>(left.size() + 2, 30), ' ');
    text += left + std::string(option.help) + "\n";
  }
  return text;
}

}  // namespace stagewright::cli
