// Debian's docker-registry as a child process on a free loopback port, with or without a password.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "lib/base/error.h"
#include "lib/base/fd.h"

namespace stagewright::testing {

class DockerRegistry {
 public:
  struct Options {
    std::string username;  ///< empty: anybody may push
    std::string password;
    std::string certificate;  ///< PEM files for TLS, or empty
    std::string key;
  };

  /// Whether the programs are installed (docker-registry, and htpasswd for a password).
  static bool available();
  /// Returns once it listens: the address is read from its log.
  static Result<DockerRegistry> start(const Options& options);
  static Result<DockerRegistry> start() { return start(Options()); }

  DockerRegistry(DockerRegistry&& other) noexcept;
  DockerRegistry& operator=(DockerRegistry&&) = delete;
  ~DockerRegistry();

  /// 127.0.0.1:<port>
  const std::string& host() const { return host_; }
  /// Ends the process; start() on the same directory is not offered.
  void stop();

 private:
  DockerRegistry() = default;

  std::string directory_;
  std::string host_;
  pid_t pid_ = -1;
  Fd log_;
};

}  // namespace stagewright::testing
