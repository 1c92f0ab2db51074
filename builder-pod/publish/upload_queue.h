// Uploads that run beside each other while stages still work.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "builder-pod/publish/refusal.h"
#include "lib/oci/manifest.h"

namespace stagewright::publish {

/// A blob that the output repository has now.
struct Placed {
  oci::Descriptor descriptor;
  std::string how;  ///< mounted, exists, uploaded
};

using UploadResult = std::variant<Placed, Refusal>;

/// A few threads, tasks with names, results kept. Destruction stops what runs and waits for it.
/// Thread-safe.
class UploadQueue {
 public:
  using Task = std::function<UploadResult(std::stop_token)>;

  explicit UploadQueue(int threads);
  ~UploadQueue();
  UploadQueue(const UploadQueue&) = delete;
  UploadQueue& operator=(const UploadQueue&) = delete;

  /// First come, first served. A name that is known already is ignored.
  void add(const std::string& name, Task task);
  std::optional<UploadResult> result(const std::string& name);
  /// A refusal that `isFatal` says yes to, given its task's name.
  std::optional<Refusal> findRefusal(
      const std::function<bool(const std::string&, const Refusal&)>& isFatal);
  /// Until every task has ended (true) or a stop is requested (false).
  bool waitUntilIdle(std::stop_token stop);
  void requestStop();

 private:
  void runWorker(std::stop_token stop);

  struct Item {
    std::string name;
    Task task;
  };
  // A condition needs the bare mutex; it guards the fields up to the workers.
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Item> waiting_;
  std::map<std::string, std::optional<UploadResult>> results_;  ///< empty while waiting or running
  int running_ = 0;
  std::vector<std::jthread> workers_;
};

}  // namespace stagewright::publish
