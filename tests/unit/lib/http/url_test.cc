#include "lib/http/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stagewright::http {
namespace {

TEST(ParseUrl, SplitsAndNormalises) {
  const Url url = parseUrl("HTTPS://user:pw@Reg.Example:5000/v2/a?x=1&y=2#part").value();
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.userInfo, "user:pw");
  EXPECT_EQ(url.host, "reg.example");
  EXPECT_EQ(url.port, 5000);
  EXPECT_EQ(url.path, "/v2/a");
  EXPECT_EQ(url.query, "x=1&y=2");
  EXPECT_EQ(url.str(), "https://reg.example:5000/v2/a?x=1&y=2");
  EXPECT_EQ(url.origin(), "https://reg.example:5000");
  EXPECT_EQ(parseUrl("http://[::1]").value().str(), "http://[::1]/");
  EXPECT_EQ(parseUrl("https://a").value().origin(), parseUrl("https://a:443/x").value().origin());
}

class BadUrl : public ::testing::TestWithParam<const char*> {};
TEST_P(BadUrl, IsRefused) { EXPECT_EQ(parseUrl(GetParam()).error().code, Code::kInvalid); }
INSTANTIATE_TEST_SUITE_P(Table, BadUrl,
                         ::testing::Values("", "reg.example/x", "ftp://a/", "file:///etc/passwd",
                                           "http://", "http:///x", "http://a:0/", "http://a:99999/",
                                           "http://a:x/", "http://a b/", "http://a/\n",
                                           "http://[::1/", "http://[]/", "http://[::1]x/",
                                           "http://a\\b/", "http://a%41/"));

struct Resolution {
  const char* reference;
  const char* expected;
};
class Resolve : public ::testing::TestWithParam<Resolution> {};
TEST_P(Resolve, AsRfc3986) {
  const Url base = parseUrl("http://a/b/c/d?q").value();
  EXPECT_EQ(resolveUrl(base, GetParam().reference).value().str(), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Resolve,
    ::testing::Values(Resolution{"g", "http://a/b/c/g"}, Resolution{"./g", "http://a/b/c/g"},
                      Resolution{"/g", "http://a/g"}, Resolution{"//g", "http://g/"},
                      Resolution{"?y", "http://a/b/c/d?y"}, Resolution{"g?y", "http://a/b/c/g?y"},
                      Resolution{"../g", "http://a/b/g"}, Resolution{"../../../g", "http://a/g"},
                      Resolution{"/./g/../h", "http://a/h"},
                      Resolution{"https://x:8443/y?z=/../", "https://x:8443/y?z=/../"},
                      Resolution{"/g?next=a:b", "http://a/g?next=a:b"}));

TEST(Redact, KeepsNoSecrets) {
  EXPECT_EQ(redactUrl("https://user:pw@host/p?digest=sha256:1&X-Amz-Signature=abc&from=a/b#x"),
            "https://host/p?digest=sha256:1&X-Amz-Signature=…&from=a/b");
  EXPECT_EQ(redactUrl("user:pw@host/x"), "host/x");
  EXPECT_EQ(redactHeader("Authorization", "Bearer abc"), "Bearer ***");
  EXPECT_EQ(redactHeader("cookie", "abc"), "***");
  EXPECT_EQ(redactHeader("Accept", "text/plain"), "text/plain");
}

TEST(AddQuery, Encodes) {
  Url url = parseUrl("https://h/u?state=a").value();
  addQuery(url, "digest", "sha256:1/+");
  EXPECT_EQ(url.str(), "https://h/u?state=a&digest=sha256%3A1%2F%2B");
}

}  // namespace
}  // namespace stagewright::http
