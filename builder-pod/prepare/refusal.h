// Why prepare gives up: the exit code says what the operator may do about it, the failure says it
// to people.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "lib/base/error.h"
#include "lib/plan/contract.h"
#include "lib/plan/report.h"

namespace stagewright::prepare {

struct [[nodiscard]] Refusal {
  plan::Exit exit = plan::Exit::kInternal;
  plan::Failure failure;
};

/// As Result<T>, with a Refusal for an error: every place that gives up knows the reason of api.md,
/// so that nobody has to find it again from a text. TRY and CHECK_OK work with it.
template <class T>
class [[nodiscard]] Outcome : public tl::expected<T, Refusal> {
 public:
  using Base = tl::expected<T, Refusal>;
  using Base::Base;
  Outcome(Refusal refusal)
      : Base(tl::unexpected<Refusal>(std::move(refusal))) {}  // NOLINT: `return Refusal{...}`
};

Refusal refuse(plan::Exit exit, std::string_view reason, std::string message);

/// The user's input is wrong (exit 20).
Refusal refuseInput(std::string_view reason, std::string message);

/// A mistake in the Dockerfile (DockerfileInvalid), with its line if the error has one.
Refusal refuseDockerfile(const Error& error);

/// Something failed on the volume that we write to. A full volume is the user's to solve
/// (WorkspaceFull), everything else InternalError. `directory` is on that volume.
Refusal refuseVolume(const std::string& directory, const Error& error);

/// Less than one MiB or no inode is left.
bool isVolumeFull(const std::string& directory);

}  // namespace stagewright::prepare

/// TRY_OR(Fd fd, openDirectory(path), error, refuseInput("X", error.message)): TRY for a call that
/// returns another kind of error; `name` is the error inside the last argument.
#define TRY_OR(declaration, expression, name, refusal) \
  TRY_OR_(STAGEWRIGHT_CONCAT(tryOrResult_, __LINE__), declaration, expression, name, refusal)
#define TRY_OR_(temporary, declaration, expression, name, refusal) \
  auto temporary = (expression);                                   \
  if (!temporary) {                                                \
    const auto& name = temporary.error();                          \
    return refusal;                                                \
  }                                                                \
  declaration = std::move(*temporary)

/// The same for a Status.
#define CHECK_OR(expression, name, refusal)      \
  do {                                           \
    auto checkOrStatus_ = (expression);          \
    if (!checkOrStatus_) {                       \
      const auto& name = checkOrStatus_.error(); \
      return refusal;                            \
    }                                            \
  } while (false)
