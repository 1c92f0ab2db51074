#include "lib/registry/challenge.h"

#include <algorithm>

#include "lib/http/headers.h"

namespace stagewright::registry {

namespace {

class ChallengeScanner {
 public:
  explicit ChallengeScanner(std::string_view text) : text_(text) {}

  bool atEnd() const { return at_ == text_.size(); }
  void skip(std::string_view characters) {
    at_ = std::min(text_.find_first_not_of(characters, at_), text_.size());
  }
  bool take(char c) {
    if (atEnd() || text_[at_] != c) {
      return false;
    }
    ++at_;
    return true;
  }
  std::string_view token() {
    const std::size_t end = std::min(text_.find_first_of(" \t,=\"", at_), text_.size());
    const std::string_view result = text_.substr(at_, end - at_);
    at_ = end;
    return result;
  }
  /// The rest of a quoted string, after its first quote.
  std::string quotedRest() {
    std::string value;
    while (!atEnd() && text_[at_] != '"') {
      at_ += text_[at_] == '\\' && at_ + 1 < text_.size() ? 1 : 0;
      value += text_[at_++];
    }
    take('"');
    return value;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Challenge> parseChallenges(std::string_view header) {
  std::vector<Challenge> challenges;
  ChallengeScanner scanner(header);
  while (true) {
    scanner.skip(" \t,");
    const std::string name = http::toLower(scanner.token());
    if (name.empty()) {
      return challenges;  // the end, or something that no challenge begins with
    }
    scanner.skip(" \t");
    if (!scanner.take('=')) {
      challenges.push_back({name, {}});
      continue;
    }
    scanner.skip(" \t");
    std::string value = scanner.take('"') ? scanner.quotedRest() : std::string(scanner.token());
    if (!challenges.empty()) {
      challenges.back().params[name] = std::move(value);
    }
  }
}

}  // namespace stagewright::registry
