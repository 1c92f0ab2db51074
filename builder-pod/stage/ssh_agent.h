// An ssh agent (draft-miller-ssh-agent) for RUN --mount=type=ssh: steps may ask for the public keys
// and for signatures. The private key stays in this process; there is no message that gives it out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "builder-pod/stage/ssh_key.h"
#include "builder-pod/stage/step_runner.h"
#include "lib/base/fd.h"

namespace stagewright::stage {

/// The answer to one message (without lengths in front).
std::string answerAgentMessage(const SshKey& key, std::string_view message);

/// Any number of sockets, each with one key, served by whoever waits for the step. What a step
/// sends is bounded: message size, number of connections, answers that it does not read.
class SshAgent final : public StepService {
 public:
  /// Listens at `path`, which must not exist and is removed by whoever made its directory.
  Status listen(const std::string& path, SshKey key, std::uint32_t mode, std::uint32_t uid,
                std::uint32_t gid);
  bool empty() const { return sockets_.empty(); }

  void addTo(std::vector<pollfd>& fds) const override;
  void serve(const std::vector<pollfd>& fds) override;

 private:
  struct Socket {
    Fd listener;
    SshKey key;
  };
  struct Connection {
    Fd fd;
    std::size_t socket = 0;
    std::string in;
    std::string out;
  };

  void accept(std::size_t socket);
  /// False if the connection is over.
  bool advance(Connection& connection);
  bool takeMessages(Connection& connection);

  std::vector<Socket> sockets_;
  std::vector<Connection> connections_;
};

}  // namespace stagewright::stage
