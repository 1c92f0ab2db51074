#include "builder-pod/stage/ssh_agent.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stagewright::stage {

namespace {

constexpr std::uint8_t kFailure = 5;
constexpr std::uint8_t kRequestIdentities = 11;
constexpr std::uint8_t kIdentities = 12;
constexpr std::uint8_t kSignRequest = 13;
constexpr std::uint8_t kSignature = 14;

constexpr std::size_t kMaxMessage = 256 * 1024;
constexpr std::size_t kMaxConnections = 64;
constexpr std::size_t kMaxUnread = 1024 * 1024;

std::string message(std::uint8_t type) { return std::string(1, static_cast<char>(type)); }

Result<std::string> signatureFor(const SshKey& key, std::string_view body) {
  TRY(const std::string_view blob, takeString(body));
  TRY(const std::string_view bytes, takeString(body));
  TRY(const std::uint32_t flags, takeUint32(body));
  if (blob != key.publicBlob()) {
    return notFound("another key");
  }
  return key.sign(bytes, flags);
}

bool wasInterrupted() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

std::string answerAgentMessage(const SshKey& key, std::string_view body) {
  const auto type = body.empty() ? 0 : static_cast<std::uint8_t>(body.front());
  body.remove_prefix(std::min<std::size_t>(1, body.size()));
  if (type == kRequestIdentities) {
    std::string out = message(kIdentities);
    putUint32(out, 1);
    putString(out, key.publicBlob());
    putString(out, key.comment());
    return out;
  }
  if (type == kSignRequest) {
    if (const auto signature = signatureFor(key, body)) {
      std::string out = message(kSignature);
      putString(out, *signature);
      return out;
    }
  }
  return message(kFailure);  // also to add, remove, lock and extensions
}

Status SshAgent::listen(const std::string& path, SshKey key, std::uint32_t mode, std::uint32_t uid,
                        std::uint32_t gid) {
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return invalid("the path of a socket is too long: " + quoted(path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 16) != 0) {
    return systemError("listen", path, errno);
  }
  if (::chmod(path.c_str(), mode) != 0 || ::chown(path.c_str(), uid, gid) != 0) {
    return systemError("chown", path, errno);
  }
  sockets_.push_back({std::move(fd), std::move(key)});
  return ok();
}

void SshAgent::addTo(std::vector<pollfd>& fds) const {
  const bool full = connections_.size() >= kMaxConnections;
  for (const Socket& socket : sockets_) {
    fds.push_back({full ? -1 : socket.listener.get(), POLLIN, 0});
  }
  for (const Connection& connection : connections_) {
    const short events = connection.out.empty() ? POLLIN : POLLOUT;
    fds.push_back({connection.fd.get(), events, 0});
  }
}

void SshAgent::serve(const std::vector<pollfd>& fds) {
  const auto isReady = [&](int fd) {
    return std::any_of(fds.begin(), fds.end(),
                       [fd](const pollfd& entry) { return entry.fd == fd && entry.revents != 0; });
  };
  std::erase_if(connections_, [&](Connection& connection) {
    return isReady(connection.fd.get()) && !advance(connection);
  });
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if (isReady(sockets_[i].listener.get())) {
      accept(i);
    }
  }
}

void SshAgent::accept(std::size_t socket) {
  Fd fd(::accept4(sockets_[socket].listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd && connections_.size() < kMaxConnections) {
    connections_.push_back({std::move(fd), socket, {}, {}});
  }
}

bool SshAgent::advance(Connection& connection) {
  if (!connection.out.empty()) {
    const ssize_t sent =
        ::send(connection.fd.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      return wasInterrupted();
    }
    connection.out.erase(0, static_cast<std::size_t>(sent));
    return true;
  }
  char buffer[16 * 1024];
  const ssize_t got = ::recv(connection.fd.get(), buffer, sizeof buffer, 0);
  if (got <= 0) {
    return got < 0 && wasInterrupted();
  }
  connection.in.append(buffer, static_cast<std::size_t>(got));
  return takeMessages(connection);
}

bool SshAgent::takeMessages(Connection& connection) {
  for (;;) {
    std::string_view rest = connection.in;
    const auto size = takeUint32(rest);
    if (!size) {
      return true;
    }
    if (*size == 0 || *size > kMaxMessage || connection.out.size() > kMaxUnread) {
      return false;
    }
    if (rest.size() < *size) {
      return true;
    }
    putString(connection.out,
              answerAgentMessage(sockets_[connection.socket].key, rest.substr(0, *size)));
    connection.in.erase(0, 4 + *size);
  }
}

}  // namespace stagewright::stage
