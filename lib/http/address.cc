#include "lib/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace stagewright::http {

namespace {

struct Network {
  std::uint32_t address;
  int bits;
  const char* kind;
};

constexpr std::array<Network, 7> kDenied = {{
    {0x00000000, 8, "an unspecified address"},
    {0x7f000000, 8, "a loopback address"},
    {0xa9fe0000, 16, "a link-local address"},  // the metadata server of most clouds is one
    {0x646464c8, 32, "a cloud's metadata server"},
    {0xe0000000, 4, "a multicast address"},
    {0xf0000000, 4, "a reserved address"},
    {0xc0000000, 24, "a reserved address"},
}};

std::string kindOf(std::uint32_t address) {
  for (const Network& network : kDenied) {
    if ((address ^ network.address) >> (32 - network.bits) == 0) {
      return network.kind;
    }
  }
  return "";
}

using Bytes = std::span<const std::uint8_t, 16>;

bool startsWith(Bytes address, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

/// An IPv4 address that a translator would take out of an IPv6 one: mapped, NAT64, 6to4.
std::optional<std::uint32_t> embedded(Bytes address) {
  const auto at = [&](std::size_t offset) {
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      out = out << 8 | address[offset + i];
    }
    return out;
  };
  if (startsWith(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}) ||
      startsWith(address, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return at(12);
  }
  if (startsWith(address, {0x20, 0x02})) {
    return at(2);
  }
  return std::nullopt;
}

std::string kindOf(Bytes address) {
  if (const auto inner = embedded(address)) {
    return kindOf(*inner);
  }
  if (std::all_of(address.begin(), address.end() - 1, [](std::uint8_t b) { return b == 0; })) {
    return address[15] == 1 ? "a loopback address" : "an unspecified address";
  }
  if (address[0] == 0xfe && (address[1] & 0xc0) == 0x80) {
    return "a link-local address";
  }
  if (address[0] == 0xff) {
    return "a multicast address";
  }
  return address[0] == 0xfd ? "an address of a private network (fd00::/8)" : "";
}

}  // namespace

std::string addressText(const ::sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.sa_family == AF_INET) {
    ::sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    ::inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
  } else if (address.sa_family == AF_INET6) {
    ::sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof in);
    ::inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size());
  }
  return text.data();
}

std::string deniedAddressKind(const ::sockaddr& address) {
  if (address.sa_family == AF_INET) {
    ::sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    return kindOf(ntohl(in.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    ::sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof in);
    return kindOf(Bytes(in.sin6_addr.s6_addr));
  }
  return "no address of the internet";
}

}  // namespace stagewright::http
