#include "lib/dockerfile/values.h"

#include <gtest/gtest.h>

#include "lib/dockerfile/go_format.h"
#include "lib/dockerfile/names.h"

namespace stagewright::dockerfile {
namespace {

Result<std::string> asItIs(std::string_view text) { return std::string(text); }

TEST(ParseMount, ReadsAllOptions) {
  const Result<Mount> cache = parseMount(
      "type=cache,id=x,target=/c,sharing=locked,uid=1,gid=2,mode=0700,source=/s,from=b", asItIs);
  ASSERT_TRUE(cache) << cache.error().message;
  EXPECT_EQ(cache->type, MountType::kCache);
  EXPECT_EQ(cache->sharing, CacheSharing::kLocked);
  EXPECT_EQ(cache->mode, 0700U);
  EXPECT_EQ(cache->uid, 1U);
  EXPECT_EQ(cache->gid, 2U);
  EXPECT_FALSE(cache->readOnly);
  EXPECT_EQ(cache->source, "/s");
  const Result<Mount> tmpfs = parseMount("TYPE=tmpfs,DST=/t,size=1.5g", asItIs);
  ASSERT_TRUE(tmpfs);
  EXPECT_EQ(tmpfs->sizeLimit, 1536LL * 1024 * 1024);
  EXPECT_EQ(tmpfs->target, "/t");
  const Result<Mount> secret = parseMount("type=secret,id=s,env=TOKEN,required", asItIs);
  ASSERT_TRUE(secret);
  EXPECT_TRUE(secret->required);
  EXPECT_EQ(secret->env, "TOKEN");
  EXPECT_TRUE(parseMount("target=/x", asItIs)->readOnly);
  EXPECT_FALSE(parseMount("target=/x,rw", asItIs)->readOnly);
  EXPECT_FALSE(parseMount("target=/x,ro=false", asItIs)->readOnly);
  EXPECT_EQ(parseMount("\"target=/a,b\",src=c", asItIs)->target, "/a,b");
}

TEST(ParseMount, ExpandsValuesBeforeItReadsThem) {
  const WordExpander expand = [](std::string_view word) -> Result<std::string> {
    return std::string(word == "$T" ? "tmpfs" : word);
  };
  EXPECT_EQ(parseMount("type=$T,target=/x", expand)->type, MountType::kTmpfs);
}

TEST(ParseMount, NamesItsErrors) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"mode=1", "mode not allowed for \"bind\" type mounts"},
      {"type=tmpfs,uid=1", "uid not allowed for \"tmpfs\" type mounts"},
      {"gid=1", "gid not allowed for \"bind\" type mounts"},
      {"sharing=shared", "invalid cache sharing set for bind mount"},
      {"type=secret,id=a,sharing=shared", "secret mount should not define sharing"},
      {"required=true", "unexpected key 'required' for mount type 'bind'"},
      {"required,type=secret", "unexpected key 'required' for mount type 'bind'"},
      {"size=1m", "unexpected key 'size' for mount type 'bind'"},
      {"type=secret,from=x,id=a", "secret mount should not have a from"},
      {"type=secret,source=x,id=a", "both source and id can't be set"},
      {"type=secret", "invalid secret mount. one of source, target required"},
      {"type=cach", "unsupported mount type \"cach\" (did you mean cache?)"},
      {"type=volume", "unsupported mount type \"volume\""},
      {"type=cache,sharing=lock", "unsupported sharing value \"lock\" (did you mean locked?)"},
      {"tarket=/x", "unexpected key 'tarket' in 'tarket=/x' (did you mean target?)"},
      {"nonsense=/x", "unexpected key 'nonsense' in 'nonsense=/x'"},
      {"target", "invalid field 'target' must be a key=value pair"},
      {"ro=maybe", "invalid value for ro: maybe"},
      {"type=tmpfs,size=big", "invalid value for size: big"},
      {"type=cache,mode=9", "invalid value 9 for mode"},
      {"type=cache,uid=-1", "invalid value -1 for uid"},
      {"type=cache,gid=x", "invalid value x for gid"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    const Result<Mount> mount = parseMount(text, asItIs);
    ASSERT_FALSE(mount);
    EXPECT_EQ(mount.error().message, message);
  }
  EXPECT_NE(parseMount("a\"b", asItIs).error().message.find("failed to parse csv mounts: "),
            std::string::npos);
}

TEST(ParsePorts, ExpandsRangesInTheOrderGiven) {
  EXPECT_EQ(
      parsePorts({"53/UDP", "80-82", "81/", "127.0.0.1:8080:90", "[::1]:1:2/sctp", "9-9"})->ports,
      (std::vector<std::string>{"53/udp", "80/tcp", "81/tcp", "82/tcp", "81/tcp", "90/tcp",
                                "2/sctp", "9/tcp"}));
}

TEST(ParsePorts, NamesItsErrors) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"x", "invalid containerPort: x"},
      {"65536", "invalid containerPort: 65536"},
      {"90-80", "invalid containerPort: 90-80"},
      {"x:80", "invalid hostPort: x"},
      {"1.2.3:1:80", "invalid IP address: 1.2.3"},
      {"1-2:80-90", "invalid ranges specified for container and host Ports: 80-90 and 1-2"},
      {"80/http", "invalid port: \"80/http\": invalid proto: http"},
      {"/tcp", "invalid port: \"/tcp\": no port specified"},
      {"", "invalid port: \"\": no port specified"},
      {"80:", "invalid port: \"80:\": no port specified"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    const Result<PortList> ports = parsePorts({text});
    ASSERT_FALSE(ports);
    EXPECT_EQ(ports.error().message, message);
  }
  EXPECT_EQ(parsePorts({"1-3:80"})->ports, std::vector<std::string>{"80/tcp"});
  EXPECT_FALSE(parsePorts({"0-65535", "0-65535", "0-65535", "0-65535", "0-65535"}));
}

TEST(CheckStopSignal, KnowsNamesAndNumbers) {
  for (const std::string good :
       {"SIGTERM", "term", "sigusr1", "9", "RTMIN+3", "SIGRTMAX-14", "RTMIN"}) {
    EXPECT_TRUE(checkStopSignal(good)) << good;
  }
  for (const std::string bad : {"", "0", "SIGNOPE", "RTMIN+16", "RTMAX-15", "RTMIN+0", "SIG"}) {
    const Status status = checkStopSignal(bad);
    ASSERT_FALSE(status) << bad;
    EXPECT_EQ(status.error().message, "invalid signal: " + bad);
  }
}

TEST(Chmod, AppliesSymbolicModes) {
  struct Case {
    std::string text;
    std::uint32_t mode;
    bool isDirectory;
    std::uint32_t expected;
  };
  const std::vector<Case> cases = {
      {"755", 0, false, 0755},
      {"04755", 0, false, 04755},
      {"u=rwX,go=rX", 0600, false, 0644},
      {"u=rwX,go=rX", 0600, true, 0755},
      {"u=rwX,go=rX", 0100, false, 0755},
      {"+x", 0644, false, 0755},
      {"a-w", 0666, false, 0444},
      {"g=u", 0640, false, 0660},
      {"u+s", 0755, false, 04755},
      {"g+s", 0755, true, 02755},
      {"+t", 0777, true, 01777},
      {"o=", 0777, false, 0770},
      {"u=", 04755, false, 0055},
      {"go+r-x", 0711, false, 0744},
      {"o+s", 0, false, 0},
      {"ug+rw,o=u", 0400, false, 0666},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Result<ModeChange> change = parseChmod(c.text);
    ASSERT_TRUE(change) << change.error().message;
    EXPECT_EQ(applyChmod(*change, c.mode, c.isDirectory), c.expected);
  }
  for (const std::string bad :
       {"", "9", "10000", "77777777777777", "u", "u=rwz", "x+r", "755,u+x", ",", "u+r,"}) {
    const Result<ModeChange> change = parseChmod(bad);
    ASSERT_FALSE(change) << bad;
    const bool isSymbolic = !bad.empty() && (bad[0] < '0' || bad[0] > '9');
    EXPECT_EQ(change.error().message, "invalid chmod parameter: '" + bad +
                                          "'. it should be octal string and between 0 and 07777" +
                                          (isSymbolic ? ", or symbolic: invalid syntax" : ""));
  }
}

TEST(GoDuration, RoundTrips) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"5m", "5m0s"},     {"1h2m3.5s", "1h2m3.5s"},
      {"1500ms", "1.5s"}, {"0", "0s"},
      {"90s", "1m30s"},   {"1us", "1µs"},
      {"1.5µs", "1.5µs"}, {"7ns", "7ns"},
      {"-1s", "-1s"},     {".5s", "500ms"},
      {"1.s", "1s"},      {"2562047h47m16.854775807s", "2562047h47m16.854775807s"},
  };
  for (const auto& [text, expected] : cases) {
    SCOPED_TRACE(text);
    const Result<std::int64_t> duration = parseGoDuration(text);
    ASSERT_TRUE(duration) << duration.error().message;
    EXPECT_EQ(formatGoDuration(*duration), expected);
  }
  for (const std::string bad :
       {"", "s", ".s", "1x", "1", "9999999999h", "1h-1m", "+", "9223372036854775808ns"}) {
    EXPECT_FALSE(parseGoDuration(bad)) << bad;
  }
}

TEST(GoQuoted, EscapesAsGoDoes) {
  EXPECT_EQ(goQuoted("a\"b\\\n\t\a\x01é\xff\x7f"), "\"a\\\"b\\\\\\n\\t\\a\\x01é\\xff\\x7f\"");
  EXPECT_EQ(goQuoted("\xc2\xa0\xe2\x80\x8b\xf0\x9f\x98\x80"), "\"\\u00a0\\u200b😀\"");
}

TEST(CleanPath, IsGos) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "."},           {"/", "/"},      {"a//b/", "a/b"},
      {"./a", "a"},        {"a/../b", "b"}, {"../a", "../a"},
      {"/../a", "/a"},     {"a/..", "."},   {"../../x/..", "../.."},
      {"/a/./b/..", "/a"},
  };
  for (const auto& [path, expected] : cases) {
    EXPECT_EQ(cleanPath(path), expected) << path;
  }
}

TEST(SplitOwner, TellsAnEmptyGroup) {
  EXPECT_FALSE(splitOwner("u").groupGiven);
  EXPECT_TRUE(splitOwner("u:").groupGiven);
  EXPECT_EQ(splitOwner("u:g").group, "g");
}

TEST(IsSecretName, LooksAtParts) {
  for (const std::string secret :
       {"API_KEY", "password", "GITHUB_TOKEN", "secret_MESSAGE", "AUTH", "x_ApiKey_y"}) {
    EXPECT_TRUE(isSecretName(secret)) << secret;
  }
  for (const std::string plain :
       {"KEYBOARD", "PUBLIC_KEY", "KEY_FILE", "TOKEN_VERSION", "PASSWORDS", "author", ""}) {
    EXPECT_FALSE(isSecretName(plain)) << plain;
  }
}

TEST(IsImageName, FollowsTheReferenceGrammar) {
  for (const std::string good :
       {"alpine", "alpine:3", "localhost:5000/a/b:1", "Host.io/a", "a__b", "a--b.c_d", "[::1]:5/a",
        "a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "REG/a"}) {
    EXPECT_TRUE(isImageName(good)) << good;
  }
  for (const std::string bad :
       {"", "Alpine", "alpine:", ":3", "a//b", "/a", "a/", "a..b", "a:b c", "-a", "a@sha256:xyz",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "a___b", "h:x/a"}) {
    EXPECT_FALSE(isImageName(bad)) << bad;
  }
}

TEST(ParsePlatformName, Normalises) {
  const PlatformName host{"linux", "amd64", ""};
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"linux/x86_64", "linux/amd64"}, {"linux/arm64/v8", "linux/arm64"}, {"arm64", "linux/arm64"},
      {"windows", "windows/amd64"},    {"linux/arm", "linux/arm/v7"},     {"armel", "linux/arm/v6"},
  };
  for (const auto& [text, expected] : cases) {
    ASSERT_TRUE(parsePlatformName(text, host)) << text;
    EXPECT_EQ(parsePlatformName(text, host)->text(), expected);
  }
  for (const std::string bad : {"", "a/b/c/d", "linux/", "nonsense", "linux/a b"}) {
    EXPECT_FALSE(parsePlatformName(bad, host)) << bad;
  }
}

}  // namespace
}  // namespace stagewright::dockerfile
