// A registry in memory, as a transport: enough of the distribution API to push and pull, with token
// authentication and blob storage on another host where a test wants them. It exists to inject
// faults around it; the real behaviour is checked against docker-registry.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/base/guarded.h"
#include "lib/http/transport.h"
#include "lib/http/url.h"

namespace stagewright::testing {

class MemoryRegistry final : public http::Transport {
 public:
  struct Options {
    bool tokens =
        false;  ///< Bearer by https://auth.example/token, user "user" with password "secret"
    bool oauthOnly = false;         ///< the token server knows POST only
    bool storageElsewhere = false;  ///< GET of a blob redirects to https://storage.example
    bool mounts = true;
    bool resumes =
        true;  ///< false: a broken upload is forgotten (416), as docker-registry 2.8 does it
  };

  MemoryRegistry() = default;
  explicit MemoryRegistry(const Options& options) : options_(options) {}

  Result<http::Response> send(const http::Request& request, std::stop_token stop) override;

  std::string addBlob(const std::string& repository, const std::string& bytes);
  std::string addManifest(const std::string& repository, const std::string& tag,
                          const std::string& mediaType, const std::string& bytes);
  std::map<std::string, std::string> blobs(const std::string& repository);
  /// By tag and by digest.
  std::map<std::string, std::string> manifests(const std::string& repository);
  std::size_t openUploads() { return state_.lock()->uploads.size(); }
  /// Tokens handed out so far are worth nothing any more.
  void revokeTokens() { state_.lock()->tokens.clear(); }
  int tokensIssued() { return state_.lock()->issued; }
  /// Authorization values that reached the storage host: there must be none.
  std::vector<std::string> leaked() { return state_.lock()->leaked; }

 private:
  struct Repository {
    std::map<std::string, std::string> blobs;
    std::map<std::string, std::string> manifests;
    std::map<std::string, std::string> types;
  };
  struct State {
    std::map<std::string, Repository> repositories;
    std::map<std::string, std::string> uploads;
    std::set<std::string> tokens;
    int issued = 0;
    int uploadsStarted = 0;
    std::vector<std::string> leaked;
  };
  struct Path {
    std::string repository;
    std::string kind;  ///< manifests, blobs, uploads
    std::string name;
  };

  static Path splitPath(const std::string& path);
  Result<std::string> readBody(const http::Request& request);
  Result<http::Response> answer(const http::Request& request, const http::Response& response);
  http::Response issueToken(State& state, const http::Request& request, const std::string& form);
  http::Response route(State& state, const http::Request& request, const http::Url& url,
                       const std::string& body);
  http::Response blobs(Repository& repository, const http::Request& request,
                       const std::string& digest);
  http::Response manifests(Repository& repository, const http::Request& request,
                           const std::string& name, const std::string& body);
  http::Response uploads(State& state, const Path& path, const http::Request& request,
                         const http::Url& url, const std::string& body);
  http::Response startUpload(State& state, const Path& path, const http::Url& url);

  Options options_;
  Guarded<State> state_;
};

}  // namespace stagewright::testing
