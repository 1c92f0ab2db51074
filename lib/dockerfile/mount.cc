// `RUN --mount=…` (§5.2).
#include <algorithm>
#include <array>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/go_format.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

/// The fields of one CSV record as Go's encoding/csv reads it.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {}

  Result<std::vector<std::string>> read() {
    if (rest_.empty()) {
      return failure("EOF");
    }
    std::vector<std::string> fields;
    while (true) {
      TRY(std::string field, !rest_.empty() && rest_.front() == '"' ? readQuoted() : readPlain());
      fields.push_back(std::move(field));
      if (rest_.empty()) {
        return fields;
      }
      rest_.remove_prefix(1);  // the comma
    }
  }

 private:
  static Error failure(std::string_view cause) {
    return invalid("failed to parse csv mounts: " + std::string(cause));
  }

  Result<std::string> readPlain() {
    const std::string_view field = rest_.substr(0, rest_.find(','));
    if (field.find('"') != std::string_view::npos) {
      return failure("parse error: bare \" in non-quoted field");
    }
    rest_.remove_prefix(field.size());
    return std::string(field);
  }

  Result<std::string> readQuoted() {
    rest_.remove_prefix(1);
    std::string field;
    while (true) {
      const std::size_t quote = rest_.find('"');
      if (quote == std::string_view::npos) {
        return failure("parse error: extraneous or missing \" in quoted-field");
      }
      field += rest_.substr(0, quote);
      rest_.remove_prefix(quote + 1);
      if (rest_.empty() || rest_.front() == ',') {
        return field;
      }
      if (rest_.front() != '"') {
        return failure("parse error: extraneous or missing \" in quoted-field");
      }
      field += '"';
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
};

constexpr std::array<std::string_view, 5> kTypeNames = {"bind", "cache", "tmpfs", "secret", "ssh"};
constexpr std::array<std::string_view, 3> kSharingNames = {"shared", "private", "locked"};

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

Error badValue(const std::string& key, const std::string& value) {
  return invalid("invalid value for " + key + ": " + value);
}

Result<MountType> readType(const std::string& value) {
  const auto at = std::find(kTypeNames.begin(), kTypeNames.end(), lower(value));
  if (at == kTypeNames.end()) {
    return invalid(withSuggestion("unsupported mount type " + goQuoted(value), value,
                                  sorted({kTypeNames.begin(), kTypeNames.end()}), false));
  }
  return static_cast<MountType>(at - kTypeNames.begin());
}

Result<CacheSharing> readSharing(const std::string& value) {
  const auto at = std::find(kSharingNames.begin(), kSharingNames.end(), lower(value));
  if (at == kSharingNames.end()) {
    return invalid(withSuggestion("unsupported sharing value " + goQuoted(value), value,
                                  sorted({kSharingNames.begin(), kSharingNames.end()}), false));
  }
  return static_cast<CacheSharing>(at - kSharingNames.begin());
}

Result<std::uint32_t> readNumber(const std::string& key, const std::string& value, int base) {
  const std::optional<std::uint32_t> number = parseGoUint32(value, base);
  return number ? Result<std::uint32_t>(*number)
                : invalid("invalid value " + value + " for " + key);
}

/// Reads fields one after the other into a Mount. The type seen so far decides what a key means.
class MountReader {
 public:
  Status readFlagField(const std::string& key, const std::string& field) {
    if (key == "readonly" || key == "ro") {
      readOnly_ = true;
    } else if (key == "readwrite" || key == "rw") {
      readOnly_ = false;
    } else if (key == "required") {
      CHECK_OK(mustTakeRequired());
      mount_.required = true;
    } else {
      return invalid("invalid field '" + field + "' must be a key=value pair");
    }
    return ok();
  }

  Status readField(const std::string& key, const std::string& value, const std::string& field) {
    if (key == "type") {
      TRY(mount_.type, readType(value));
    } else if (key == "from") {
      mount_.from = value;
    } else if (key == "source" || key == "src") {
      mount_.source = value;
    } else if (key == "target" || key == "dst" || key == "destination") {
      mount_.target = value;
    } else if (key == "id") {
      mount_.id = value;
    } else if (key == "env") {
      mount_.env = value;
    } else if (key == "sharing") {
      TRY(mount_.sharing, readSharing(value));
    } else if (key == "mode") {
      TRY(mount_.mode, readNumber(key, value, 8));
    } else if (key == "uid") {
      TRY(mount_.uid, readNumber(key, value, 10));
    } else if (key == "gid") {
      TRY(mount_.gid, readNumber(key, value, 10));
    } else {
      return readTypedField(key, value, field);
    }
    return ok();
  }

  Result<Mount> finish() {
    const bool ownerAllowed = mount_.type == MountType::kSecret || mount_.type == MountType::kSsh ||
                              mount_.type == MountType::kCache;
    if (!ownerAllowed) {
      CHECK_OK(mustBeUnset("mode", mount_.mode));
      CHECK_OK(mustBeUnset("uid", mount_.uid));
      CHECK_OK(mustBeUnset("gid", mount_.gid));
    }
    const bool writable = mount_.type == MountType::kCache || mount_.type == MountType::kTmpfs;
    mount_.readOnly = readOnly_.value_or(!writable);
    if (mount_.type == MountType::kSecret) {
      CHECK_OK(checkSecret());
    }
    if (mount_.sharing && mount_.type != MountType::kCache) {
      return invalid("invalid cache sharing set for " + typeName() + " mount");
    }
    return mount_;
  }

 private:
  std::string typeName() const { return std::string(mountTypeName(mount_.type)); }

  Error unexpectedKey(const std::string& key) const {
    return invalid("unexpected key '" + key + "' for mount type '" + typeName() + "'");
  }

  Status mustTakeRequired() const {
    const bool takes = mount_.type == MountType::kSecret || mount_.type == MountType::kSsh;
    return takes ? ok() : Status(unexpectedKey("required"));
  }

  Status mustBeUnset(const std::string& key, const std::optional<std::uint32_t>& value) const {
    return !value
               ? ok()
               : Status(invalid(key + " not allowed for " + goQuoted(typeName()) + " type mounts"));
  }

  Result<bool> readBool(const std::string& key, const std::string& value) const {
    const std::optional<bool> parsed = parseGoBool(value);
    return parsed ? Result<bool>(*parsed) : badValue(key, value);
  }

  Status readTypedField(const std::string& key, const std::string& value,
                        const std::string& field) {
    if (key == "readonly" || key == "ro") {
      TRY(readOnly_, readBool(key, value));
    } else if (key == "readwrite" || key == "rw") {
      TRY(const bool writable, readBool(key, value));
      readOnly_ = !writable;
    } else if (key == "required") {
      CHECK_OK(mustTakeRequired());
      TRY(mount_.required, readBool(key, value));
    } else if (key == "size") {
      if (mount_.type != MountType::kTmpfs) {
        return unexpectedKey(key);
      }
      const std::optional<std::int64_t> size = parseRamSize(value);
      if (!size) {
        return badValue(key, value);
      }
      mount_.sizeLimit = *size;
    } else {
      static const std::vector<std::string> kKeys = {
          "type",     "from", "source",      "target",    "readonly", "id",  "sharing",
          "required", "size", "mode",        "uid",       "gid",      "src", "dst",
          "ro",       "rw",   "destination", "readwrite", "env"};
      return invalid(
          withSuggestion("unexpected key '" + key + "' in '" + field + "'", key, kKeys, false));
    }
    return ok();
  }

  Status checkSecret() const {
    if (!mount_.from.empty()) {
      return invalid("secret mount should not have a from");
    }
    if (mount_.sharing) {
      return invalid("secret mount should not define sharing");
    }
    if (mount_.source.empty() && mount_.target.empty() && mount_.id.empty()) {
      return invalid("invalid secret mount. one of source, target required");
    }
    if (!mount_.source.empty() && !mount_.id.empty()) {
      return invalid("both source and id can't be set");
    }
    return ok();
  }

  Mount mount_;
  std::optional<bool> readOnly_;
};

}  // namespace

std::string_view mountTypeName(MountType type) {
  return kTypeNames[static_cast<std::size_t>(type)];
}
std::string_view cacheSharingName(CacheSharing sharing) {
  return kSharingNames[static_cast<std::size_t>(sharing)];
}

Result<std::string> mountSource(std::string_view text) {
  TRY(const std::vector<std::string> fields, CsvReader(text).read());
  std::string from;
  for (const std::string& field : fields) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos || lower(field.substr(0, equals)) != "from") {
      continue;
    }
    from = field.substr(equals + 1);
    const std::size_t dollar = from.find('$');
    if (dollar != std::string::npos && dollar + 1 < from.size()) {
      return invalid("'from' doesn't support variable expansion, define alias stage instead");
    }
  }
  return from;
}

Result<Mount> parseMount(std::string_view text, const WordExpander& expand) {
  TRY(const std::vector<std::string> fields, CsvReader(text).read());
  MountReader reader;
  for (const std::string& field : fields) {
    const std::size_t equals = field.find('=');
    const std::string key = lower(field.substr(0, equals));
    if (equals == std::string::npos) {
      CHECK_OK(reader.readFlagField(key, field));
      continue;
    }
    TRY(const std::string value, expand(field.substr(equals + 1)));
    CHECK_OK(reader.readField(key, value, field));
  }
  return reader.finish();
}

}  // namespace stagewright::dockerfile
