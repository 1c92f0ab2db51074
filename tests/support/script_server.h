// A TCP server that sends bytes a test wrote down, whatever the client says: for answers no proper
// server gives.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "lib/base/fd.h"

namespace stagewright::testing {

/// Handles one connection after the other on a thread of its own, until it is destroyed.
class ScriptServer {
 public:
  /// `talk` gets the connected socket; the connection is closed when it returns.
  explicit ScriptServer(std::function<void(int socket)> talk);
  /// Ends the conversation too: a client that keeps its connection open may outlive the server.
  ~ScriptServer();
  ScriptServer(const ScriptServer&) = delete;
  ScriptServer& operator=(const ScriptServer&) = delete;

  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  static void send(int socket, const std::string& text);
  /// Until the blank line; returns what was read.
  static std::string readHead(int socket);
  /// Until the client closes.
  static void drain(int socket);

 private:
  void run();

  std::function<void(int)> talk_;
  Fd listener_;
  std::mutex mutex_;
  Fd client_;             // under mutex_
  bool stopped_ = false;  // under mutex_
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

}  // namespace stagewright::testing
