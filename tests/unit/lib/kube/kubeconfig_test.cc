#include "lib/kube/kubeconfig.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "lib/base/hash.h"

namespace stagewright::kube {
namespace {

class Kubeconfig : public testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        std::filesystem::temp_directory_path() / ("kubeconfig." + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = directory_ / name;
    std::ofstream(path) << text;
    return path.string();
  }
  /// A config with one context whose user and cluster hold these lines.
  std::string config(const std::string& cluster, const std::string& user) {
    return write("config",
                 "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                 "contexts: [{name: c, context: {cluster: k, user: u, namespace: team-a}}]\n"
                 "clusters:\n- name: k\n  cluster: {server: 'https://h:6443'" +
                     cluster +
                     "}\n"
                     "users:\n- name: u\n  user: {" +
                     user + "}\n");
  }

  std::filesystem::path directory_;
};

TEST_F(Kubeconfig, ReadsInlineCertificatesAndToken) {
  const auto loaded =
      loadKubeconfig(config(", certificate-authority-data: " + toBase64("CA"),
                            "client-certificate-data: " + toBase64("CRT") +
                                ", client-key-data: " + toBase64("KEY") + ", token: secret"));
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->server, "https://h:6443");
  EXPECT_EQ(loaded->caPem, "CA");
  EXPECT_EQ(loaded->clientCertificatePem, "CRT");
  EXPECT_EQ(loaded->clientKeyPem, "KEY");
  EXPECT_EQ(loaded->token, "secret");
  EXPECT_EQ(loaded->defaultNamespace, "team-a");
  EXPECT_FALSE(loaded->insecureSkipVerify);
}

TEST_F(Kubeconfig, FindsFilesBesideItself) {
  write("ca.crt", "CA");
  const auto loaded = loadKubeconfig(config(", certificate-authority: ca.crt", "tokenFile: token"));
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->caPem, "CA");
  EXPECT_EQ(loaded->tokenFile, (directory_ / "token").string());
}

TEST_F(Kubeconfig, ReadsInsecureFlag) {
  const auto loaded = loadKubeconfig(config(", insecure-skip-tls-verify: true", "token: t"));
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_TRUE(loaded->insecureSkipVerify);
}

TEST_F(Kubeconfig, FirstFileOfAListWins) {
  const std::string first =
      write("first", "current-context: b\ncontexts: [{name: b, context: {cluster: k}}]\n");
  const std::string second = write("second",
                                   "current-context: a\n"
                                   "contexts: [{name: a, context: {cluster: other}}]\n"
                                   "clusters: [{name: k, cluster: {server: 'https://second'}}]\n");
  const auto loaded = loadKubeconfig(first + ":" + second + ":" + (directory_ / "absent").string());
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->server, "https://second");
}

TEST_F(Kubeconfig, RefusesWhatItCannotUse) {
  struct Case {
    std::string cluster, user, message;
  };
  const Case cases[] = {
      {"", "exec: {command: aws}",
       "users[0].user: credentials from exec are not supported; use a token, tokenFile or client "
       "certificate"},
      {"", "client-certificate-data: " + toBase64("CRT"),
       "users[0].user: client-certificate and client-key belong together, but only one is given"},
      {", proxy-url: 'http://p'", "", "clusters[0].cluster: proxy-url is not supported"},
      {", certificate-authority-data: '%'", "",
       "clusters[0].cluster: certificate-authority-data is not base64"},
  };
  for (const Case& c : cases) {
    const auto loaded = loadKubeconfig(config(c.cluster, c.user));
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code, Code::kInvalid);
    EXPECT_EQ(loaded.error().message, c.message);
  }
}

TEST_F(Kubeconfig, NamesTheMissingContext) {
  const auto loaded = loadKubeconfig(config("", ""), "nope");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, Code::kNotFound);
  EXPECT_EQ(loaded.error().message, "kubeconfig has no context \"nope\"");
}

TEST_F(Kubeconfig, NamesTheMissingFile) {
  const auto loaded = loadKubeconfig((directory_ / "absent").string());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace stagewright::kube
