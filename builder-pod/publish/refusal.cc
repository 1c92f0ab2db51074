#include "builder-pod/publish/refusal.h"

namespace stagewright::publish {

namespace {

using plan::Exit;

struct Verdict {
  Exit exit;
  const char* reason;
};

Verdict judgePush(Code code) {
  switch (code) {
    case Code::kDenied:
      return {Exit::kDenied, "PushUnauthorized"};
    case Code::kUnavailable:
      return {Exit::kUnavailable, "RegistryUnavailable"};
    case Code::kInternal:
      return {Exit::kInternal, "InternalError"};
    default:
      return {Exit::kUnavailable, "PushFailed"};
  }
}

Verdict judgeBase(Code code) {
  switch (code) {
    case Code::kDenied:
      return {Exit::kDenied, "BaseImageUnauthorized"};
    case Code::kNotFound:
      return {Exit::kUserInput, "BaseImageNotFound"};
    default:
      return {Exit::kUnavailable, "RegistryUnavailable"};
  }
}

Verdict judge(Phase phase, Code code) {
  if (code == Code::kCancelled) {
    return {Exit::kUnavailable, "Disrupted"};
  }
  switch (phase) {
    case Phase::kPush:
      return judgePush(code);
    case Phase::kBase:
      return judgeBase(code);
    case Phase::kCredentials:
      return {Exit::kSecretMissing, "CredentialsNotFound"};
    case Phase::kVolume:
      break;
  }
  return {Exit::kInternal, "InternalError"};
}

}  // namespace

Refusal makeRefusal(Phase phase, const Error& error) {
  const Verdict verdict = judge(phase, error.code);
  Refusal refusal;
  refusal.exit = verdict.exit;
  refusal.failure.reason = verdict.reason;
  refusal.failure.message = error.message;
  return refusal;
}

}  // namespace stagewright::publish
