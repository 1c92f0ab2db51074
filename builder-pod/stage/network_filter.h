// RUN --network=none where no network namespace can be made: a seccomp filter refuses the sockets
// that could reach anything (docs: stage executor, section 8).
#pragma once

namespace stagewright::stage {

/// Sets no_new_privs and refuses IPv4, IPv6 and packet sockets to this process and its children,
/// for ever. 0 or an errno value. Only system calls: usable between fork and exec.
int installNetworkFilter();

}  // namespace stagewright::stage
