#include "lib/lifecycle/pull.h"

#include <algorithm>
#include <array>

#include "lib/lifecycle/outcome.h"

namespace stagewright::lifecycle {

namespace {
/// The cause without the frame around it, which changes with every try: `Back-off pulling image
/// "x": ErrImagePull: `, `rpc error: code = NotFound desc = failed to pull and unpack image "x": `.
std::string causeOf(const std::string& message) {
  std::string_view out = message;
  for (const std::string_view mark :
       {"ErrImagePull: ", "desc = ", "failed to pull and unpack image ",
        "failed to resolve reference "}) {
    const std::size_t at = out.rfind(mark);
    if (at != std::string_view::npos) {
      out.remove_prefix(at + mark.size());
    }
  }
  if (out.starts_with('"')) {
    const std::size_t end = out.find("\": ");
    out = end == std::string_view::npos ? out : out.substr(end + 3);
  }
  return std::string(out);
}

std::string hostOf(const std::string& image) { return image.substr(0, image.find('/')); }

std::string adviceFor(const std::string& image, std::string_view cause) {
  for (const std::string_view mark :
       {"401", "403", "authorization failed", "unauthorized", "denied"}) {
    if (contains(cause, mark)) {
      return "name a Secret with credentials for " + hostOf(image) + " in spec.imagePullSecrets";
    }
  }
  return "nodes have their own registry configuration: give containerd on the nodes a hosts.toml "
         "for " +
         hostOf(image) + " (its CA, plain HTTP or mirror)";
}
}  // namespace

bool isPullTrouble(std::string_view waitingReason) {
  static constexpr std::array<std::string_view, 7> kReasons = {
      "ImagePullBackOff",  "ErrImagePull",        "InvalidImageName",         "ErrImageNeverPull",
      "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"};
  return std::find(kReasons.begin(), kReasons.end(), waitingReason) != kReasons.end();
}

PullCause pullCause(const ObservedPod& pod) {
  const std::string& why = pod.container.reason;
  if (why == "InvalidImageName" || why == "ErrImageNeverPull" ||
      why == "SignatureValidationFailed") {
    return PullCause::kLasting;
  }
  const std::string cause = causeOf(pod.container.message);
  if (cause.empty() || cause.starts_with("Back-off")) {
    return PullCause::kUntold;
  }
  static constexpr std::array<std::string_view, 12> kPassing = {"timeout",
                                                                "deadline exceeded",
                                                                "refused",
                                                                "reset by peer",
                                                                "no route",
                                                                "no such host",
                                                                "server misbehaving",
                                                                "unreachable",
                                                                "EOF",
                                                                "too many requests",
                                                                "Too Many Requests",
                                                                "toomanyrequests"};
  const auto says = [&](std::string_view mark) { return contains(cause, mark); };
  const bool serverError = contains(cause, "unexpected status") && contains(cause, ": 5");
  return serverError || std::any_of(kPassing.begin(), kPassing.end(), says) ? PullCause::kPassing
                                                                            : PullCause::kLasting;
}

bool isVolumeTrouble(std::string_view message) {
  return contains(message, "persistentvolumeclaim") || contains(message, "PersistentVolumeClaim") ||
         contains(message, "persistent volume") || contains(message, "volume node affinity");
}

bool isMountTrouble(const ObservedContainer& container) {
  const bool create =
      container.reason == "CreateContainerError" || container.reason == "RunContainerError";
  return create &&
         (contains(container.message, "idmap") || contains(container.message, "mount_setattr"));
}

std::string nodeCannotPull(const ObservedPod& pod) {
  const std::string& image = pod.container.image;
  const std::string cause = causeOf(pod.container.message);
  return "node " + pod.node + " cannot pull " + image + " (" +
         (cause.empty() ? pod.container.reason : cause) + ") although prepare could; " +
         adviceFor(image, cause);
}

std::string registryTrouble(const ObservedPod& pod) {
  return "node " + pod.node + " cannot pull " + pod.container.image + " (" +
         causeOf(pod.container.message) + "); it tries again";
}

std::string builderPullTrouble(const ObservedPod& pod) {
  const std::string cause = causeOf(pod.container.message);
  return "node " + pod.node + " cannot pull the builder image " + pod.container.image + " (" +
         (cause.empty() ? pod.container.reason : cause) +
         "); it is set where the operator is installed";
}

}  // namespace stagewright::lifecycle
