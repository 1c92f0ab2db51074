#include "builder-pod/publish/upload_queue.h"

namespace stagewright::publish {

UploadQueue::UploadQueue(int threads) {
  for (int i = 0; i < threads; ++i) {
    workers_.emplace_back([this](std::stop_token stop) { runWorker(std::move(stop)); });
  }
}

UploadQueue::~UploadQueue() {
  requestStop();
  workers_.clear();
}

void UploadQueue::requestStop() {
  for (std::jthread& worker : workers_) {
    worker.request_stop();
  }
}

void UploadQueue::add(const std::string& name, Task task) {
  const std::lock_guard lock(mutex_);
  if (results_.emplace(name, std::nullopt).second) {
    waiting_.push_back({name, std::move(task)});
    changed_.notify_all();
  }
}

std::optional<UploadResult> UploadQueue::result(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto it = results_.find(name);
  return it == results_.end() ? std::nullopt : it->second;
}

std::optional<Refusal> UploadQueue::findRefusal(
    const std::function<bool(const std::string&, const Refusal&)>& isFatal) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, result] : results_) {
    const Refusal* refusal = result ? std::get_if<Refusal>(&*result) : nullptr;
    if (refusal != nullptr && isFatal(name, *refusal)) {
      return *refusal;
    }
  }
  return std::nullopt;
}

bool UploadQueue::waitUntilIdle(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  return changed_.wait(lock, stop, [this] { return waiting_.empty() && running_ == 0; });
}

void UploadQueue::runWorker(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !waiting_.empty(); }) &&
         !stop.stop_requested()) {
    Item item = std::move(waiting_.front());
    waiting_.pop_front();
    ++running_;
    lock.unlock();
    UploadResult result = item.task(stop);
    lock.lock();
    --running_;
    results_[item.name] = std::move(result);
    changed_.notify_all();
  }
}

}  // namespace stagewright::publish
