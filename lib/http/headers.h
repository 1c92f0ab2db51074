// Header fields: a list, because names repeat; looked up without regard to case.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stagewright::http {

struct Header {
  std::string name;
  std::string value;
};

class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> fields) : fields_(fields) {}

  void add(std::string name, std::string value);
  /// Replaces every field of that name.
  void set(std::string name, std::string value);
  void remove(std::string_view name);
  /// The first field of that name.
  std::optional<std::string> find(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  const std::vector<Header>& fields() const { return fields_; }

 private:
  std::vector<Header> fields_;
};

/// ASCII only, as RFC 9110 defines field names.
bool equalIgnoringCase(std::string_view a, std::string_view b);
std::string toLower(std::string_view text);
std::string_view trim(std::string_view text);

}  // namespace stagewright::http
