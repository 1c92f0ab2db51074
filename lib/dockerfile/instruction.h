// Typed instructions of a Dockerfile, before variables are expanded (expand.h does that).
// Section numbers (§) in this folder are those of the Dockerfile language reference, which follows
// BuildKit's frontend 1.26.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::dockerfile {

/// A here-document (§3).
struct Heredoc {
  std::string name;  ///< delimiter without quotes; the name of the file for COPY and ADD
  int fileDescriptor = 0;
  bool expand = true;   ///< false if the delimiter had any quote
  bool chomp = false;   ///< `<<-`: leading tabs are stripped
  std::string content;  ///< the lines as they stand in the file, each with its newline

  /// The content with leading tabs stripped if `chomp`.
  std::string text() const;
  bool operator==(const Heredoc&) const = default;
};

/// Command of RUN, CMD, ENTRYPOINT, HEALTHCHECK.
struct CommandLine {
  std::vector<std::string> args;  ///< exec form: the strings; shell form: exactly one text, or none
  bool shellForm = true;
  std::vector<Heredoc> heredocs;  ///< RUN only
  bool operator==(const CommandLine&) const = default;
};

enum class MountType { kBind, kCache, kTmpfs, kSecret, kSsh };
enum class CacheSharing { kShared, kPrivate, kLocked };

/// A parsed `--mount` (§5.2). Nothing is defaulted beyond what the field initialisers and the type
/// say: the default targets of secrets and ssh sockets, the cleaned cache id and the joining to
/// WORKDIR are the planner's.
struct Mount {
  MountType type = MountType::kBind;
  std::string from;
  std::string source;
  std::string target;
  bool readOnly = true;  ///< type's default unless given: cache and tmpfs are read-write
  std::string id;
  std::optional<CacheSharing> sharing;
  bool required = false;
  std::int64_t sizeLimit = 0;  ///< bytes, tmpfs only; 0 is no limit
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::string> env;
  bool operator==(const Mount&) const = default;
};

/// A `--mount` as written. Its values are expanded before they are read (§4.1), so only `from`,
/// which must not contain variables, is known at parse time; parseMount() in values.h gives the
/// rest.
struct MountFlag {
  std::string text;
  std::string from;
  bool operator==(const MountFlag&) const = default;
};

enum class NetworkMode { kDefault, kNone, kHost };
enum class SecurityMode { kSandbox, kInsecure };

struct From {
  std::string base;      ///< as written: image, stage or scratch
  std::string platform;  ///< as written, empty if absent
  std::string asWord;    ///< `AS` as written, empty if absent
  std::string name;      ///< lower-cased stage name, empty if none
  std::string nameAsWritten;
};
struct Arg {
  struct Entry {
    std::string name;
    std::optional<std::string> value;  ///< unexpanded, quotes kept
    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries;
};
struct KeyValue {
  std::string key;
  std::string value;
  bool legacy = false;  ///< `ENV key value` (§2.10)
  bool operator==(const KeyValue&) const = default;
};
struct Env {
  std::vector<KeyValue> pairs;
};
struct Label {
  std::vector<KeyValue> pairs;
};
struct Run {
  CommandLine command;
  std::vector<MountFlag> mounts;
  NetworkMode network = NetworkMode::kDefault;
  SecurityMode security = SecurityMode::kSandbox;
  std::vector<std::string> devices;  ///< always empty: `--device` is an error outside labs (§5.2)
  std::vector<std::string> flagsUsed;  ///< names of the flags that were given
};
/// What COPY and ADD share (§5.12).
struct Transfer {
  std::vector<std::string> sources;  ///< paths, URLs, git references; without here-documents
  std::vector<Heredoc> contents;     ///< here-document sources in their order
  std::string destination;
  std::string chown;
  std::string chmod;
  bool link = false;
  std::vector<std::string> excludes;
};
struct Copy : Transfer {
  std::string from;
  bool parents = false;
};
struct Add : Transfer {
  std::optional<bool> keepGitDir;
  std::string checksum;
  std::optional<bool> unpack;
};
struct Workdir {
  std::string path;
};
struct User {
  std::string user;
};
struct Cmd {
  CommandLine command;
};
struct Entrypoint {
  CommandLine command;
};
struct Expose {
  std::vector<std::string> ports;  ///< words, see parsePorts() in values.h
};
struct Volume {
  std::vector<std::string> paths;
};
struct StopSignal {
  std::string signal;
};
struct Shell {
  std::vector<std::string> args;
};
struct Healthcheck {
  /// `NONE`, or `CMD` / `CMD-SHELL` and the arguments, as the configuration stores it.
  std::vector<std::string> test;
  std::int64_t intervalNs = 0;
  std::int64_t timeoutNs = 0;
  std::int64_t startPeriodNs = 0;
  std::int64_t startIntervalNs = 0;
  int retries = 0;
};
struct Maintainer {
  std::string name;
};
struct OnBuild {
  std::string
      expression;  ///< the trigger as the configuration stores it (§3.4), for parseTrigger()
};

using InstructionBody =
    std::variant<From, Arg, Env, Run, Copy, Add, Workdir, User, Cmd, Entrypoint, Label, Expose,
                 Volume, StopSignal, Shell, Healthcheck, Maintainer, OnBuild>;

struct Instruction {
  std::string keyword;  ///< as written: `run`, `RUN`
  std::string text;   ///< the instruction in one line as BuildKit shows it, without here-documents
  SourceRange range;  ///< from the keyword to the last line, here-documents included
  std::vector<std::string>
      comments;  ///< the block directly above, without `#` and the blanks around
  InstructionBody body;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&body);
  }
};

/// Directives at the top of the file (§2.4).
struct Directives {
  std::string syntax;
  char escape = '\\';
  std::string check;  ///< raw text of `# check=`, for parseCheckOptions()
  SourceRange checkRange;
};

struct Stage {
  int index = 0;
  std::string name;      ///< lower-cased, empty if none
  std::string base;      ///< as written, unexpanded
  std::string platform;  ///< as written, unexpanded
  SourceRange range;     ///< of the FROM instruction
  Instruction from;
  std::vector<Instruction> instructions;  ///< without the FROM
};

struct ParsedFile {
  Directives directives;
  std::vector<Instruction> globalArgs;          ///< Arg only
  std::vector<Stage> stages;                    ///< never empty
  std::vector<SourceRange> emptyContinuations;  ///< for the check NoEmptyContinuation
};

/// Index of the last stage with this name (any case), or of the number it spells (§6.10); nothing
/// if there is none. `FROM` has other rules: see findBaseStage().
std::optional<int> findStage(const ParsedFile& file, std::string_view nameOrIndex);

/// Index of the latest stage before `before` whose lower-cased name equals `base` exactly (§5.1).
std::optional<int> findBaseStage(const ParsedFile& file, std::string_view base, int before);

/// Upper-case name of the instruction: `RUN`.
std::string_view instructionName(const InstructionBody& body);

}  // namespace stagewright::dockerfile
