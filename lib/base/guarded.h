// A value and its lock are one object.
#pragma once

#include <mutex>
#include <utility>

namespace stagewright {

/// Guarded<T>: the value is reachable only through lock(), whose result holds the mutex. Thread-safe.
template <class T>
class Guarded {
 public:
  class Locked {
   public:
    Locked(std::mutex& mutex, T& value) : lock_(mutex), value_(value) {}
    T& operator*() { return value_; }
    T* operator->() { return &value_; }
    /// For condition variables.
    std::unique_lock<std::mutex>& guard() { return lock_; }

   private:
    std::unique_lock<std::mutex> lock_;
    T& value_;
  };

  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}
  Locked lock() { return Locked(mutex_, value_); }

 private:
  std::mutex mutex_;
  T value_{};
};

}  // namespace stagewright
