#include "tests/support/script_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace stagewright::testing {

ScriptServer::ScriptServer(std::function<void(int)> talk) : talk_(std::move(talk)) {
  listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 16) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return;  // port 0: every request of the test fails
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this] { run(); });
}

ScriptServer::~ScriptServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);  // ends accept()
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  if (client_) {
    ::shutdown(client_.get(), SHUT_RDWR);  // ends recv()
  }
}

void ScriptServer::run() {
  while (true) {
    Fd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted) {
      return;
    }
    const int socket = accepted.get();
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) {
        return;
      }
      client_ = std::move(accepted);
    }
    talk_(socket);
    const std::lock_guard lock(mutex_);
    client_ = Fd();
  }
}

void ScriptServer::send(int socket, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = ::send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) {
      return;
    }
    sent += static_cast<std::size_t>(n);
  }
}

std::string ScriptServer::readHead(int socket) {
  std::string head;
  char byte;
  while (!head.ends_with("\r\n\r\n") && ::recv(socket, &byte, 1, 0) == 1) {
    head += byte;
  }
  return head;
}

void ScriptServer::drain(int socket) {
  char buffer[4096];
  while (::recv(socket, buffer, sizeof buffer, 0) > 0) {
  }
}

}  // namespace stagewright::testing
