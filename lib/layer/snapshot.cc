#include "lib/layer/snapshot.h"

#include <fcntl.h>

#include <atomic>
#include <condition_variable>
#include <optional>
#include <thread>

#include "lib/base/guarded.h"
#include "lib/layer/xattr.h"

namespace stagewright::layer {

namespace {

struct Task {
  Directory* directory = nullptr;
  std::string path;
  std::uint64_t mount = 0;
};

/// Directories to be walked, and whether somebody may still add one.
struct Queue {
  std::vector<Task> tasks;
  std::size_t unfinished = 0;  ///< queued or being walked
  std::optional<Error> error;
};

class Walk {
 public:
  Walk(const Root& root, const SnapshotOptions& options) : root_(root), options_(options) {}

  Result<Snapshot> run() {
    Snapshot snapshot;
    TRY(const FileStat st, statAt(root_.fd(), ""));
    add(Task{&snapshot.root, "", st.mount});
    {
      std::vector<std::jthread> helpers;
      for (int i = 1; i < options_.threads; ++i) {
        helpers.emplace_back([this] { work(); });
      }
      work();
    }
    auto queue = queue_.lock();
    if (queue->error) {
      return *queue->error;
    }
    snapshot.entries = entries_;
    return snapshot;
  }

 private:
  void add(Task task) {
    auto queue = queue_.lock();
    queue->tasks.push_back(std::move(task));
    ++queue->unfinished;
    wakeUp_.notify_one();
  }

  void work() {
    for (;;) {
      Task task;
      {
        auto queue = queue_.lock();
        wakeUp_.wait(queue.guard(),
                     [&] { return !queue->tasks.empty() || queue->unfinished == 0; });
        if (queue->unfinished == 0) {
          return;
        }
        task = std::move(queue->tasks.back());
        queue->tasks.pop_back();
      }
      const Status status = walkDirectory(task);
      auto queue = queue_.lock();
      --queue->unfinished;
      // kDenied: a directory of an id that our user namespace does not map; no step can have
      // changed it either.
      const bool skip =
          status || status.error().code == Code::kNotFound || status.error().code == Code::kDenied;
      if (!skip && !queue->error) {
        queue->error = status.error();
      }
      if (queue->error) {
        queue->unfinished -= queue->tasks.size();
        queue->tasks.clear();
      }
      if (queue->unfinished == 0) {
        wakeUp_.notify_all();
      }
    }
  }

  Status walkDirectory(const Task& task) {
    TRY(const Fd dir, root_.openDirectory(task.path));
    TRY(const Xattrs xattrs, loadXattrs(dir.get(), task.path));
    for (const auto& [key, value] : xattrs) {
      task.directory->xattrs += key + "=" + value + '\0';
    }
    TRY(const std::vector<std::string> names, listDirectory(dir.get(), task.path));
    task.directory->children.reserve(names.size());
    for (const std::string& name : names) {
      CHECK_OK(visit(task, dir.get(), name));
    }
    // Children are queued last: growing the vector above would have moved them (their Directory
    // stays, though).
    for (Node& node : task.directory->children) {
      if (node.directory) {
        add(Task{node.directory.get(), joinPath(task.path, node.name), node.stat.mount});
      }
    }
    return ok();
  }

  Status visit(const Task& task, int dir, const std::string& name) {
    const std::string path = joinPath(task.path, name);
    if (options_.excluded.contains(path)) {
      return ok();
    }
    const auto st = statAt(dir, name);
    if (!st) {
      return st.error().code == Code::kNotFound ? ok() : Status(st.error());
    }
    if (st->mount != task.mount && !options_.volumes.contains(path)) {
      return ok();
    }
    Node node;
    node.name = name;
    node.stat = *st;
    if (st->isDirectory()) {
      node.directory = std::make_unique<Directory>();
    }
    task.directory->children.push_back(std::move(node));
    entries_.fetch_add(1, std::memory_order_relaxed);
    return ok();
  }

  const Root& root_;
  const SnapshotOptions& options_;
  Guarded<Queue> queue_;
  std::condition_variable wakeUp_;        // waits on the lock of queue_
  std::atomic<std::size_t> entries_ = 0;  // counted by all threads, read when they are gone
};

/// Section 5.2's table for everything but directories.
bool sameFile(const FileStat& a, const FileStat& b) {
  return a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.size == b.size &&
         a.mtime == b.mtime && a.ctime == b.ctime && a.inode == b.inode && a.major == b.major &&
         a.minor == b.minor;
}

/// Size, inode, link count and device of a directory are artefacts of overlay; ctime moves with
/// every copied-up child, and mtime alone says only that its entries changed.
bool sameDirectory(const Node& a, const Node& b) {
  return a.stat.mode == b.stat.mode && a.stat.uid == b.stat.uid && a.stat.gid == b.stat.gid &&
         a.directory->xattrs == b.directory->xattrs;
}

class Differ {
 public:
  std::vector<Change> run(const Snapshot& before, const Snapshot& after) {
    compare(before.root, after.root, "");
    return std::move(changes_);
  }

 private:
  void compare(const Directory& before, const Directory& after, const std::string& path) {
    auto a = before.children.begin();
    auto b = after.children.begin();
    while (a != before.children.end() || b != after.children.end()) {
      const bool onlyBefore =
          b == after.children.end() || (a != before.children.end() && a->name < b->name);
      const bool onlyAfter =
          a == before.children.end() || (b != after.children.end() && b->name < a->name);
      if (onlyBefore) {
        changes_.push_back({Change::Kind::kDeleted, joinPath(path, a->name), nullptr});
        ++a;
      } else if (onlyAfter) {
        added(*b, joinPath(path, b->name));
        ++b;
      } else {
        both(*a, *b, joinPath(path, b->name));
        ++a;
        ++b;
      }
    }
  }

  void added(const Node& node, const std::string& path) {
    changes_.push_back({Change::Kind::kAdded, path, &node});
    addChildren(node, path);
  }

  void addChildren(const Node& node, const std::string& path) {
    if (node.directory) {
      for (const Node& child : node.directory->children) {
        added(child, joinPath(path, child.name));
      }
    }
  }

  void both(const Node& a, const Node& b, const std::string& path) {
    if (a.directory && b.directory) {
      if (!sameDirectory(a, b)) {
        changes_.push_back({Change::Kind::kModified, path, &b});
      }
      compare(*a.directory, *b.directory, path);
    } else if (!sameFile(a.stat, b.stat)) {
      // An entry of another type replaces what was there, so the old children need no whiteouts.
      changes_.push_back({Change::Kind::kModified, path, &b});
      addChildren(b, path);
    }
  }

  std::vector<Change> changes_;
};

}  // namespace

Result<Snapshot> loadSnapshot(const Root& root, const SnapshotOptions& options) {
  return Walk(root, options).run();
}

std::vector<Change> diffSnapshots(const Snapshot& before, const Snapshot& after) {
  return Differ().run(before, after);
}

}  // namespace stagewright::layer
