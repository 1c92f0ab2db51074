// Reads the YAML that crds/imagebuilds.yaml is written in: block maps and lists, one-line flow
// collections, quoted and plain scalars, folded text (>-), anchors. Anything else is an error, so
// that the file stays simple. No YAML library: lib/api links none, and the project installs one
// only for kubeconfig files.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace stagewright::api::testing {

using Json = nlohmann::json;

class CrdYaml {
 public:
  static Json parse(const std::string& text) {
    CrdYaml reader(text);
    Json out = reader.block(0);
    if (reader.next_ != reader.lines_.size()) {
      reader.fail("unexpected indentation");
    }
    return out;
  }

 private:
  struct Line {
    std::size_t indent;
    std::string text;
    std::size_t number;
  };

  explicit CrdYaml(const std::string& text) {
    std::size_t number = 0;
    for (std::size_t at = 0; at < text.size(); ++number) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string line = text.substr(at, end - at);
      const std::size_t indent = line.find_first_not_of(' ');
      if (indent != std::string::npos && line[indent] != '#') {
        lines_.push_back({indent, line.substr(indent), number + 1});
      }
      at = end + 1;
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    const std::string where =
        next_ < lines_.size() ? "line " + std::to_string(lines_[next_].number) : "end";
    throw std::runtime_error(where + ": " + what);
  }

  bool isAt(std::size_t indent) const {
    return next_ < lines_.size() && lines_[next_].indent == indent;
  }
  static bool isItem(const std::string& text) { return text.starts_with("- "); }

  Json block(std::size_t indent) {
    if (!isAt(indent)) {
      fail("expected content");
    }
    return isItem(lines_[next_].text) ? list(indent) : map(indent);
  }

  Json list(std::size_t indent) {
    Json out = Json::array();
    while (isAt(indent) && isItem(lines_[next_].text)) {
      // `- x` is a block of its own, two columns further in.
      lines_[next_].text.erase(0, 2);
      lines_[next_].indent += 2;
      const bool pair =
          keyEnd(lines_[next_].text) != std::string::npos && lines_[next_].text[0] != '{';
      out.push_back(pair ? map(indent + 2) : scalarLine());
    }
    return out;
  }

  Json scalarLine() {
    std::string_view text = lines_[next_++].text;
    return flow(text);
  }

  /// Where the colon of `key: value` or `key:` stands.
  static std::size_t keyEnd(const std::string& text) {
    const std::size_t colon = text.find(':');
    return colon != std::string::npos && (colon + 1 == text.size() || text[colon + 1] == ' ')
               ? colon
               : std::string::npos;
  }

  Json map(std::size_t indent) {
    Json out = Json::object();
    while (isAt(indent) && !isItem(lines_[next_].text)) {
      const std::string text = lines_[next_].text;
      const std::size_t colon = keyEnd(text);
      if (colon == std::string::npos) {
        fail("expected `key: value`");
      }
      const std::string key = text.substr(0, colon);
      if (out.contains(key)) {
        fail("key twice: " + key);
      }
      ++next_;
      out[key] = value(text.substr(std::min(colon + 2, text.size())), indent);
    }
    return out;
  }

  Json value(std::string rest, std::size_t indent) {
    std::string anchor;
    if (rest.starts_with('&')) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      anchor = rest.substr(1, end - 1);
      rest.erase(0, std::min(end + 1, rest.size()));
    }
    Json out;
    if (rest.starts_with('*')) {
      const auto it = anchors_.find(rest.substr(1));
      if (it == anchors_.end()) {
        fail("unknown anchor " + rest);
      }
      out = it->second;
    } else if (rest == ">-") {
      out = folded(indent);
    } else if (!rest.empty()) {
      std::string_view text = rest;
      out = flow(text);
      if (!text.empty()) {
        fail("left over: " + std::string(text));
      }
    } else {
      const bool sameIndentList = isAt(indent) && isItem(lines_[next_].text);
      out = block(sameIndentList ? indent : lines_.at(next_).indent);
    }
    if (!anchor.empty()) {
      anchors_[anchor] = out;
    }
    return out;
  }

  Json folded(std::size_t indent) {
    std::string out;
    while (next_ < lines_.size() && lines_[next_].indent > indent) {
      out += (out.empty() ? "" : " ") + lines_[next_++].text;
    }
    return out;
  }

  static void skipSpace(std::string_view& text) {
    while (text.starts_with(' ')) {
      text.remove_prefix(1);
    }
  }

  Json flow(std::string_view& text, std::string_view stops = "") {
    skipSpace(text);
    if (text.starts_with('{')) {
      return flowMap(text);
    }
    if (text.starts_with('[')) {
      return flowList(text);
    }
    if (text.starts_with('"') || text.starts_with('\'')) {
      return quotedText(text);
    }
    std::size_t end = 0;
    while (end < text.size() && stops.find(text[end]) == std::string_view::npos) {
      ++end;
    }
    const std::string plain(text.substr(0, end));
    text.remove_prefix(end);
    if (plain == "true" || plain == "false") {
      return plain == "true";
    }
    return !plain.empty() && plain.find_first_not_of("-0123456789") == std::string::npos
               ? Json(std::stoll(plain))
               : Json(plain);
  }

  Json quotedText(std::string_view& text) {
    const char quote = text[0];
    std::string out;
    std::size_t at = 1;
    for (;
         at < text.size() && !(text[at] == quote && !(quote == '\'' && text.substr(at, 2) == "''"));
         ++at) {
      if (quote == '"' && text[at] == '\\') {
        ++at;
      } else if (quote == '\'' && text[at] == '\'') {
        ++at;
      }
      out += text[at];
    }
    if (at >= text.size()) {
      fail("quote without end");
    }
    text.remove_prefix(at + 1);
    return out;
  }

  Json flowList(std::string_view& text) {
    Json out = Json::array();
    text.remove_prefix(1);
    for (skipSpace(text); !text.starts_with(']'); skipSpace(text)) {
      out.push_back(flow(text, ",]"));
      skipSpace(text);
      if (text.starts_with(',')) {
        text.remove_prefix(1);
      } else if (!text.starts_with(']')) {
        fail("expected , or ]");
      }
    }
    text.remove_prefix(1);
    return out;
  }

  Json flowMap(std::string_view& text) {
    Json out = Json::object();
    text.remove_prefix(1);
    for (skipSpace(text); !text.starts_with('}'); skipSpace(text)) {
      const std::size_t colon = text.find(": ");
      if (colon == std::string_view::npos) {
        fail("expected key: in {}");
      }
      const std::string key(text.substr(0, colon));
      text.remove_prefix(colon + 2);
      out[key] = flow(text, ",}");
      skipSpace(text);
      if (text.starts_with(',')) {
        text.remove_prefix(1);
      } else if (!text.starts_with('}')) {
        fail("expected , or }");
      }
    }
    text.remove_prefix(1);
    return out;
  }

  std::vector<Line> lines_;
  std::size_t next_ = 0;
  std::map<std::string, Json> anchors_;
};

}  // namespace stagewright::api::testing
