// A temporary directory, files in it, and a git server: what the tests of prepare share.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "builder-pod/prepare/subprocess.h"
#include "gtest/gtest.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "tests/support/source_dir.h"

namespace stagewright::prepare::testing {

namespace fs = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "prepare-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  /// Makes a directory in it.
  std::string directory(const std::string& name) const {
    fs::create_directories(path_ + "/" + name);
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

inline void writeFile(const std::string& path, std::string_view text, unsigned mode = 0644) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
  ::chmod(path.c_str(), mode);
}

inline std::string readFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Every path below `root`, sorted; links as `path -> target`, directories with a slash.
inline std::vector<std::string> treeOf(const std::string& root) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    std::string path = fs::relative(entry.path().parent_path(), root) / entry.path().filename();
    path = path.starts_with("./") ? path.substr(2) : path;
    if (entry.is_symlink()) {
      path += " -> " + fs::read_symlink(entry.path()).string();
    } else if (entry.is_directory()) {
      path += "/";
    }
    paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

inline Fd openRoot(const std::string& path) { return openDirectory(path).value(); }

/// Runs git for a fixture; fails the test if it fails. Gives its output without the newline.
inline std::string git(const std::string& directory, std::vector<std::string> args) {
  Program program;
  program.argv = std::move(args);
  program.argv.insert(program.argv.begin(), "git");
  program.env = {std::string("PATH=") + ::getenv("PATH"),
                 "GIT_CONFIG_GLOBAL=/dev/null",
                 "GIT_CONFIG_NOSYSTEM=1",
                 "GIT_AUTHOR_NAME=t",
                 "GIT_AUTHOR_EMAIL=t@example.test",
                 "GIT_COMMITTER_NAME=t",
                 "GIT_COMMITTER_EMAIL=t@example.test",
                 "GIT_AUTHOR_DATE=@1700000000 +0000",
                 "GIT_COMMITTER_DATE=@1700000000 +0000"};
  program.directory = directory;
  program.timeout = Millis(60'000);
  const auto end = runProgram(program);
  EXPECT_TRUE(end) << (end ? "" : end.error().message);
  EXPECT_EQ(end->exitCode, 0) << end->err;
  return end->out.substr(0, end->out.find('\n'));
}

/// git_http_server.py in a process of its own; it ends when its standard input is closed.
class GitServer {
 public:
  explicit GitServer(const std::string& root, const std::string& auth = "") {
    int in[2];
    int out[2];
    EXPECT_EQ(::pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::string script = sourceDir() / "tests/unit/builder-pod/prepare/git_http_server.py";
    std::string directory = root;
    std::string credentials = auth;
    std::string python = "python3";
    char* argv[] = {python.data(), script.data(), directory.data(), credentials.data(), nullptr};
    EXPECT_EQ(::posix_spawnp(&pid_, "python3", &actions, nullptr, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    stdin_.reset(in[1]);
    std::string line;
    for (char c = 0; ::read(out[0], &c, 1) == 1 && c != '\n';) {
      line += c;
    }
    port_ = std::atoi(line.c_str());
    ::close(out[0]);
  }
  GitServer(const GitServer&) = delete;
  GitServer& operator=(const GitServer&) = delete;
  ~GitServer() {
    stdin_.reset();
    ::waitpid(pid_, nullptr, 0);
  }

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/" + path;
  }

 private:
  pid_t pid_ = 0;
  int port_ = 0;
  Fd stdin_;
};

}  // namespace stagewright::prepare::testing
