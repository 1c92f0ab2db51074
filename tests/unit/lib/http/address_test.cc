#include "lib/http/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace stagewright::http {
namespace {

struct Address {
  explicit Address(const char* text) {
    ::sockaddr_in v4{};
    ::sockaddr_in6 v6{};
    if (::inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      std::memcpy(&storage, &v4, sizeof v4);
    } else {
      EXPECT_EQ(::inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
      v6.sin6_family = AF_INET6;
      std::memcpy(&storage, &v6, sizeof v6);
    }
  }
  const ::sockaddr& get() const { return reinterpret_cast<const ::sockaddr&>(storage); }
  ::sockaddr_storage storage{};
};

TEST(DeniedAddressKind, NamesWhatADockerfileMustNotReach) {
  const std::pair<const char*, const char*> rows[] = {
      {"0.0.0.0", "an unspecified address"},
      {"127.0.0.1", "a loopback address"},
      {"127.8.9.1", "a loopback address"},
      {"169.254.169.254", "a link-local address"},
      {"100.100.100.200", "a cloud's metadata server"},
      {"224.0.0.1", "a multicast address"},
      {"255.255.255.255", "a reserved address"},
      {"192.0.0.192", "a reserved address"},
      {"::", "an unspecified address"},
      {"::1", "a loopback address"},
      {"fe80::1", "a link-local address"},
      {"ff02::1", "a multicast address"},
      {"fd00:ec2::254", "an address of a private network (fd00::/8)"},
      {"::ffff:127.0.0.1", "a loopback address"},
      {"::ffff:169.254.169.254", "a link-local address"},
      {"64:ff9b::7f00:1", "a loopback address"},
      {"2002:a9fe:a9fe::", "a link-local address"},
  };
  for (const auto& [text, kind] : rows) {
    EXPECT_EQ(deniedAddressKind(Address(text).get()), kind) << text;
  }
}

TEST(DeniedAddressKind, LetsServersOfTheInternetAndOfPrivateIpv4NetworksPass) {
  for (const char* text : {"1.1.1.1", "10.89.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1",
                           "2606:4700::1111", "::ffff:10.0.0.1", "fec0::1"}) {
    EXPECT_EQ(deniedAddressKind(Address(text).get()), "") << text;
  }
}

TEST(AddressText, IsTheNumericForm) {
  EXPECT_EQ(addressText(Address("10.1.2.3").get()), "10.1.2.3");
  EXPECT_EQ(addressText(Address("fd00::1").get()), "fd00::1");
}

}  // namespace
}  // namespace stagewright::http
