// The parts of one word of EXPOSE (§5.5).
#pragma once

#include <string>
#include <string_view>

namespace stagewright::dockerfile {

struct PortWord {
  std::string ip;
  std::string hostPort;
  std::string containerPort;  ///< number or range
  std::string protocol;       ///< as written, empty if absent
};
PortWord splitPortWord(std::string_view text);

}  // namespace stagewright::dockerfile
