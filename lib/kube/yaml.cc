#include "lib/kube/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>

#include "lib/kube/yaml_scalar.h"

namespace stagewright::kube {

namespace {

/// Leaves yaml-cpp's parser; caught at the edge of this file.
struct YamlError {
  std::string message;
  YAML::Mark mark;
};

/// yaml-cpp takes a quoted scalar without its closing quote; the reference refuses it. `at` is
/// where the node begins, its tag and anchor included.
bool isTerminated(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == '!' || text[at] == '&')) {
    at = text.find_first_of(" \t\r\n", at);
    at = at == std::string_view::npos ? text.size() : text.find_first_not_of(" \t\r\n", at);
  }
  if (at >= text.size() || (text[at] != '\'' && text[at] != '"')) {
    return true;
  }
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) {
        return true;
      }
      ++i;
    }
  }
  return false;
}

/// Builds JSON from parser events. A frame is an open sequence or mapping.
class Converter final : public YAML::EventHandler {
 public:
  Converter(std::string_view text, std::size_t& budget) : text_(text), budget_(budget) {}

  std::optional<Json> take() { return std::move(document_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    place(mark, anchor, Json(nullptr), 1);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) {
      throw YamlError{"an alias stands inside what it refers to", mark};
    }
    charge(mark, it->second.nodes);
    place(mark, YAML::NullAnchor, it->second.value, it->second.nodes, /*charged=*/true);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag != "?" && !isTerminated(text_, static_cast<std::size_t>(mark.pos))) {
      throw YamlError{"a quoted text has no end", mark};
    }
    if (expectsKey() && value == "<<" && (tag == "?" || tag == "tag:yaml.org,2002:merge")) {
      frames_.back().key = std::string();
      frames_.back().keyIsMerge = true;
      return;
    }
    Result<Json> resolved = resolveYamlScalar(tag, value);
    if (!resolved) {
      throw YamlError{resolved.error().message, mark};
    }
    place(mark, anchor, std::move(*resolved), 1);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, Json::array());
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, Json::object());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Json value;
    YAML::anchor_t anchor = YAML::NullAnchor;
    YAML::Mark mark;
    std::size_t nodes = 1;
    std::optional<std::string> key;  ///< of a mapping, while its value is awaited
    bool keyIsMerge = false;
    std::vector<Json> merges;  ///< the first wins
  };
  struct Anchored {
    Json value;
    std::size_t nodes;
  };

  bool expectsKey() const {
    return !frames_.empty() && frames_.back().value.is_object() && !frames_.back().key;
  }

  void charge(const YAML::Mark& mark, std::size_t nodes) {
    if (nodes > budget_) {
      throw YamlError{"the document is too large", mark};
    }
    budget_ -= nodes;
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, Json empty) {
    if (expectsKey()) {
      throw YamlError{"a key must be a scalar", mark};
    }
    if (frames_.size() >= static_cast<std::size_t>(kYamlDepthLimit)) {
      throw YamlError{"the document is nested too deeply", mark};
    }
    charge(mark, 1);
    Frame frame;
    frame.value = std::move(empty);
    frame.anchor = anchor;
    frame.mark = mark;
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    for (Json& merged : frame.merges) {
      for (auto& [key, value] : merged.items()) {
        if (!frame.value.contains(key)) {
          frame.value[key] = std::move(value);
        }
      }
    }
    place(frame.mark, frame.anchor, std::move(frame.value), frame.nodes, /*charged=*/true);
  }

  void place(const YAML::Mark& mark, YAML::anchor_t anchor, Json value, std::size_t nodes,
             bool charged = false) {
    if (!charged) {
      charge(mark, nodes);
    }
    if (anchor != YAML::NullAnchor) {
      anchors_[anchor] = Anchored{value, nodes};
    }
    if (frames_.empty()) {
      document_ = std::move(value);
      return;
    }
    Frame& frame = frames_.back();
    frame.nodes += nodes;
    if (frame.value.is_array()) {
      frame.value.push_back(std::move(value));
    } else if (!frame.key) {
      frame.key = keyOf(mark, value);
    } else if (frame.keyIsMerge) {
      merge(mark, frame, std::move(value));
    } else {
      frame.value[*frame.key] = std::move(value);
      frame.key.reset();
    }
  }

  static void merge(const YAML::Mark& mark, Frame& frame, Json value) {
    std::vector<Json> parts;
    if (value.is_array()) {
      parts.assign(std::make_move_iterator(value.begin()), std::make_move_iterator(value.end()));
    } else {
      parts.push_back(std::move(value));
    }
    for (Json& part : parts) {
      if (!part.is_object()) {
        throw YamlError{"<< merges mappings only", mark};
      }
      frame.merges.push_back(std::move(part));
    }
    frame.key.reset();
    frame.keyIsMerge = false;
  }

  static std::string keyOf(const YAML::Mark& mark, const Json& value) {
    if (value.is_string()) {
      return value.get<std::string>();
    }
    if (value.is_boolean() || value.is_number()) {
      return value.dump();
    }
    throw YamlError{"a key must be a text, number or boolean", mark};
  }

  std::string_view text_;
  std::size_t& budget_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::optional<Json> document_;
};

Error errorAt(const std::string& message, const YAML::Mark& mark) {
  return invalid("not YAML: line " + std::to_string(mark.line + 1) + " column " +
                 std::to_string(mark.column + 1) + ": " + message);
}

bool startsWithBom(std::string_view text) { return text.starts_with("\xef\xbb\xbf"); }

Result<std::vector<Json>> parseUpTo(std::string_view text, std::size_t documents) {
  if (startsWithBom(text)) {
    text.remove_prefix(3);
  }
  std::size_t budget = kYamlNodeBudget;
  std::vector<Json> out;
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    while (out.size() < documents) {
      Converter converter(text, budget);
      if (!parser.HandleNextDocument(converter)) {
        break;
      }
      std::optional<Json> document = converter.take();
      if (document && !document->is_null()) {
        out.push_back(*std::move(document));
      }
    }
  } catch (const YamlError& e) {
    return errorAt(e.message, e.mark);
  } catch (const YAML::Exception& e) {
    return errorAt(e.msg, e.mark);
  }
  return out;
}

}  // namespace

Result<Json> parseYaml(std::string_view text) {
  TRY(std::vector<Json> documents, parseUpTo(text, 1));
  return documents.empty() ? Json(nullptr) : std::move(documents.front());
}

Result<std::vector<Json>> parseYamlDocuments(std::string_view text) {
  return parseUpTo(text, SIZE_MAX);
}

}  // namespace stagewright::kube
