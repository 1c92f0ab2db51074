// Which addresses a server may have that nobody but a Dockerfile vouches for.
#pragma once

#include <functional>
#include <string>

#include "lib/base/error.h"

struct sockaddr;

namespace stagewright::http {

/// Asked before each connection, with the address it goes to; an error ends the exchange and is
/// what send() returns. So a name is checked by what it resolves to, at every redirect again.
using AddressCheck = std::function<Status(const ::sockaddr& address)>;

/// `10.1.2.3`, `fd00::1`; empty for another family.
std::string addressText(const ::sockaddr& address);

/// What kind of address it is, for a message, if a request that a Dockerfile asks for must not go
/// there: "a loopback address" and so on (unspecified, link-local with the metadata servers of
/// clouds, multicast, reserved, the IPv6 network fd00::/8; also as IPv4 inside IPv6). Else empty.
std::string deniedAddressKind(const ::sockaddr& address);

}  // namespace stagewright::http
