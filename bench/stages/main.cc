// How far each stage of the engine's pipeline is from what this machine can do: the stage as the engine runs it, beside a loop
// that does nothing but the inevitable system calls or arithmetic, in the same run. `bench-stages DIRECTORY` makes its files
// below DIRECTORY, removes them again and prints a markdown table.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "builder-pod/stage/copy_engine.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/compress/compressor.h"
#include "lib/compress/gzip_block.h"
#include "lib/layer/tree.h"
#include "lib/layer/tree_writer.h"
#include "local/file_digests.h"
#include "local/upper_changes.h"

namespace stagewright {
namespace {

constexpr int kFiles = 20'000;
constexpr int kPerDirectory = 100;
constexpr std::size_t kBig = 256 * 1024 * 1024;
constexpr int kRuns = 5;

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "bench-stages: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) {
    std::fprintf(stderr, "bench-stages: %s\n", status.error().message.c_str());
    std::exit(1);
  }
}

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The best of several runs, with `before` (not counted) in front of each.
double best(const std::function<void()>& work, const std::function<void()>& before = [] {}) {
  double least = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    before();
    least = std::min(least, seconds(work));
  }
  return least;
}

class NullSink final : public layer::ByteSink {
 public:
  Status write(std::string_view) override { return ok(); }
};

std::string makeBig() {
  std::string bytes;
  bytes.reserve(kBig);
  std::mt19937_64 random(1);
  while (bytes.size() < kBig / 2) {
    const std::uint64_t word = random();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  for (int line = 0; bytes.size() < kBig; ++line) {
    bytes += std::to_string(10'000'000 + line % 20'000) + " the quick brown fox jumps over the lazy dog\n";
  }
  bytes.resize(kBig);
  return bytes;
}

std::string directoryName(int number) { return "d" + std::to_string(1000 + number / kPerDirectory); }
std::string fileName(int number) { return directoryName(number) + "/f" + std::to_string(number); }

void makeFiles(const std::string& root) {
  std::mt19937 random(1);
  for (int number = 0; number < kFiles; ++number) {
    must(makeDirectories(root + "/" + directoryName(number)));
    const Fd file(::open((root + "/" + fileName(number)).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    must(writeAll(file.get(), std::string(400 + random() % 3200, 'a'), "file"));
  }
}

struct Row {
  const char* stage;
  double amount;
  const char* unit;
  double ours;
  double limit;
  const char* limitIs;
};

void print(const Row& row) {
  std::printf("| %s | %.1f %s | %.1f %s | %.0f %% | %s |\n", row.stage, row.ours / row.amount * 1e6, row.unit,
              row.limit / row.amount * 1e6, row.unit, 100 * row.limit / row.ours, row.limitIs);
  std::fflush(stdout);
}

/// Calls `visit(directory descriptor, name)` for a share of all files.
void eachFile(const std::string& root, int share, int shares, const std::function<void(int, const char*)>& visit) {
  for (int d = share; d < kFiles / kPerDirectory; d += shares) {
    const Fd directory(::open((root + "/" + directoryName(d * kPerDirectory)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (int n = 0; n < kPerDirectory; ++n) {
      visit(directory.get(), fileName(d * kPerDirectory + n).c_str() + directoryName(0).size() + 1);
    }
  }
}

void inThreads(int threads, const std::function<void(int)>& work) {
  std::vector<std::jthread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&work, i] { work(i); });
  }
}

int threadsHere() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

std::string keyOf(stage::SourceTree& tree, local::FileDigests& digests) {
  Sha256 hash;
  must(local::addTree(hash, tree, "", digests));
  return hash.hex();
}

// --- the stages ---

void measureWalk(const std::string& root) {
  auto tree = must(stage::makeDirectoryTree(root));
  local::FileDigests known("");
  keyOf(*tree, known);
  struct stat st {};
  print({"context: look for changes", kFiles, "µs a file", best([&] { keyOf(*tree, known); }), best([&] {
           eachFile(root, 0, 1, [&](int directory, const char* name) { ::fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW); });
         }),
         "fstatat, one thread"});
}

void readFile(int directory, const char* name, std::string& buffer, Sha256* hash) {
  const Fd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
  if (hash != nullptr && n > 0) {
    hash->update(buffer.data(), static_cast<std::size_t>(n));
  }
}

void measureHash(const std::string& root) {
  auto tree = must(stage::makeDirectoryTree(root));
  std::string buffer(64 * 1024, '\0');
  print({"context: digest of every file", kFiles, "µs a file", best([&] {
           local::FileDigests none("");
           keyOf(*tree, none);
         }),
         best([&] {
           eachFile(root, 0, 1, [&](int directory, const char* name) {
             Sha256 hash;
             readFile(directory, name, buffer, &hash);
             hash.hex();
           });
         }),
         "open, read, SHA-256, close, one thread"});
}

/// An empty `root`/`name`. What was there is put aside until the end: ext4 is slow to make files where many were deleted just now.
void clear(const std::string& root, const char* name) {
  static int aside = 0;
  const std::string path = root + "/" + name;
  static_cast<void>(::rename(path.c_str(), (root + "/aside" + std::to_string(aside++)).c_str()));
  must(makeDirectories(path));
}

void copyByHand(const std::string& from, const std::string& to, int share, int shares) {
  std::string buffer(64 * 1024, '\0');
  int last = -1;
  Fd target;
  int number = share * kPerDirectory;
  eachFile(from, share, shares, [&](int directory, const char* name) {
    if (number / kPerDirectory != last) {
      last = number / kPerDirectory;
      ::mkdir((to + "/" + directoryName(number)).c_str(), 0755);
      target.reset(::open((to + "/" + directoryName(number)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    const Fd in(::openat(directory, name, O_RDONLY | O_CLOEXEC));
    const Fd out(::openat(target.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    const ssize_t n = ::read(in.get(), buffer.data(), buffer.size());
    must(writeAll(out.get(), std::string_view(buffer).substr(0, static_cast<std::size_t>(std::max<ssize_t>(n, 0))), name));
    const timespec times[2] = {{1, 0}, {1, 0}};
    ::futimens(out.get(), times);
    number += number % kPerDirectory == kPerDirectory - 1 ? 1 + (shares - 1) * kPerDirectory : 1;
  });
}

void measureCopy(const std::string& work, const std::string& root) {
  const auto fresh = [&] { clear(work, "copy"); };
  const double ours = best(
      [&] {
        auto from = must(stage::makeDirectoryTree(root));
        auto to = must(layer::Tree::open(work + "/copy", {}, {}));
        local::FileDigests digests("");
        stage::CopyOptions options;
        options.witness = &digests;
        stage::CopyEngine engine(to, std::move(options));
        must(engine.copy(*from, "", "/tree"));
      },
      fresh);
  const double limit = best(
      [&] {
        must(makeDirectories(work + "/copy/tree"));
        inThreads(threadsHere(), [&](int i) { copyByHand(root, work + "/copy/tree", i, threadsHere()); });
      },
      fresh);
  print({"COPY of small files, with digests", kFiles, "µs a file", ours, limit,
         "open, read, create, write, utimens, close, a thread per processor"});
}

void measureLayer(const std::string& work) {
  must(makeDirectories(work + "/empty"));
  std::string buffer(64 * 1024, '\0');
  struct stat st {};
  print({"layer: find changes, archive", kFiles, "µs a file", best([&] {
           auto items = must(local::findUpperChanges(work + "/copy", work + "/empty"));
           auto tree = must(layer::Tree::open(work + "/copy", {}, {}));
           NullSink sink;
           must(layer::writeLayer(tree, std::move(items), sink));
         }),
         best([&] {
           eachFile(work + "/copy/tree", 0, 1, [&](int directory, const char* name) {
             ::fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW);
             readFile(directory, name, buffer, nullptr);
           });
         }),
         "fstatat, open, read, close, one thread"});
}

compress::Reader readerOf(const std::string& bytes) {
  return [&bytes, at = std::size_t{0}](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
    const std::size_t n = std::min(size, bytes.size() - at);
    std::copy_n(bytes.data() + at, n, buffer);
    at += n;
    return n;
  };
}

void compressAll(compress::Format format, const std::string& bytes, int threads) {
  const auto compressor = compress::Compressor::make(format, readerOf(bytes), threads);
  while (!must(compressor->next()).empty()) {
  }
}

void measureCompression(const std::string& big) {
  const int threads = threadsHere();
  const double mega = static_cast<double>(big.size()) / 1e6;
  const double hash = best([&] { sha256Hex(big); });
  const double gzip = best([&] {
    inThreads(threads, [&](int i) {
      compress::GzipBlockEncoder encoder;
      compress::Block block;
      const std::size_t step = compress::kGzipBlockSize * static_cast<std::size_t>(threads);
      for (std::size_t at = compress::kGzipBlockSize * static_cast<std::size_t>(i); at < big.size(); at += step) {
        block.raw.assign(big, at, compress::kGzipBlockSize);
        encoder.encode(block);
      }
    });
  });
  print({"layer: gzip with both digests", mega, "µs a MB", best([&] { compressAll(compress::Format::kGzip, big, threads); }),
         std::max(hash, gzip + hash / threads), "the same blocks without digests, plus one SHA-256, spread over all processors"});
  print({"layer: zstd with both digests", mega, "µs a MB", best([&] { compressAll(compress::Format::kZstd, big, threads); }),
         hash, "one SHA-256 (a serial sum)"});
}

void measureBigCopy(const std::string& work, const std::string& big) {
  must(makeDirectories(work + "/from"));
  {
    const Fd file(::open((work + "/from/big").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    must(writeAll(file.get(), big, "big"));
  }
  const auto fresh = [&] { clear(work, "copy"); };
  const double ours = best(
      [&] {
        auto from = must(stage::makeDirectoryTree(work + "/from"));
        auto to = must(layer::Tree::open(work + "/copy", {}, {}));
        local::FileDigests digests("");
        stage::CopyOptions options;
        options.witness = &digests;
        stage::CopyEngine engine(to, std::move(options));
        must(engine.copy(*from, "big", "/"));
      },
      fresh);
  const double limit = best(
      [&] {
        const Fd in(::open((work + "/from/big").c_str(), O_RDONLY | O_CLOEXEC));
        const Fd out(::open((work + "/copy/big").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        std::string buffer(256 * 1024, '\0');
        for (ssize_t n = 1; n > 0;) {
          n = ::read(in.get(), buffer.data(), buffer.size());
          must(writeAll(out.get(), std::string_view(buffer).substr(0, static_cast<std::size_t>(std::max<ssize_t>(n, 0))), "big"));
        }
      },
      fresh);
  print({"COPY of a large file, with digest", static_cast<double>(big.size()) / 1e6, "µs a MB", ours, limit, "read and write"});
}

int run(const std::string& parent) {
  const std::string work = parent + "/bench-stages-" + std::to_string(::getpid());
  must(makeDirectories(work + "/tree"));
  makeFiles(work + "/tree");
  const std::string big = makeBig();
  std::printf("| stage | engine | limit | reached | the limit is |\n|---|---|---|---|---|\n");
  measureWalk(work + "/tree");
  measureHash(work + "/tree");
  measureCopy(work, work + "/tree");
  measureLayer(work);
  measureCompression(big);
  measureBigCopy(work, big);
  const Fd directory = must(openDirectory(parent));
  must(layer::removeTree(directory.get(), work.substr(work.rfind('/') + 1)));
  return 0;
}

}  // namespace
}  // namespace stagewright

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench-stages DIRECTORY\n");
    return 2;
  }
  return stagewright::run(argv[1]);
}
