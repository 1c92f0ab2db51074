#include "builder-pod/stage/network_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace stagewright::stage {

namespace {
#if defined(__x86_64__)
constexpr std::uint32_t kNative = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kNative = AUDIT_ARCH_AARCH64;
#else
#error "unknown architecture: the filter must know its system call numbers"
#endif
constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint32_t kArch = offsetof(seccomp_data, arch);
constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
constexpr std::uint32_t kDomain =
    offsetof(seccomp_data, args);  // little-endian: the low half of the first argument
constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kRefuse = SECCOMP_RET_ERRNO | ENETUNREACH;
// A 32-bit program makes sockets by other numbers, one of them with arguments in memory: it gets
// none at all.
constexpr std::uint32_t kSocketcall32 = 102;
constexpr std::uint32_t kSocket32 = 359;
constexpr std::uint32_t kSocketArm32 = 281;
}  // namespace

int installNetworkFilter() {
  const sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNative, 5, 0),
      // foreign architecture
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSocketcall32, 10, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSocket32, 9, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSocketArm32, 8, 0),
      BPF_STMT(BPF_RET | BPF_K, kAllow),
      // ours
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~kX32Bit),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(SYS_socket), 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kDomain),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_PACKET, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kRefuse),
      BPF_STMT(BPF_RET | BPF_K, kAllow),
  };
  const sock_fprog program{sizeof code / sizeof code[0], const_cast<sock_filter*>(code)};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    return errno;
  }
  return 0;
}

}  // namespace stagewright::stage
