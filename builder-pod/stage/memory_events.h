// What the kernel says about this container's memory: how often it killed, and the limit.
#pragma once

#include <cstdint>
#include <string>

namespace stagewright::stage {

/// Reads the cgroup as the container sees it, version 2 or 1. Absent files read as nothing.
class MemoryEvents {
 public:
  explicit MemoryEvents(std::string directory) : directory_(std::move(directory)) {}
  /// Number of processes that were killed for memory so far.
  std::int64_t kills() const;
  /// "512Mi"; empty if there is none or it is unknown.
  std::string limit() const;

 private:
  std::string directory_;
};

}  // namespace stagewright::stage
