#include "local/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/layer/root.h"
#include "local/scratch_file.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kRecordLimit = 64 * 1024;
constexpr std::size_t kPlaces = 4;

Json toJson(const StepRecord& record, const std::string& boot) {
  Json json{{"created", record.created}, {"layer", record.layer}, {"boot", boot}};
  if (record.blob) {
    json["blob"] = {{"digest", record.blob->digest.str()},
                    {"diffId", record.blob->diffId.str()},
                    {"size", record.blob->size},
                    {"format", record.blob->format == compress::Format::kZstd ? "zstd" : "gzip"}};
  }
  return json;
}

Result<StepRecord> parseRecord(const std::string& text, const std::string& boot) {
  TRY(const Json json, parseJson(text));
  const JsonReader reader(json);
  TRY(const std::string writtenAt, reader.string("boot"));
  if (writtenAt != boot) {
    return notFound("written before the machine was restarted");
  }
  StepRecord record;
  TRY(record.created, reader.string("created"));
  TRY(record.layer, reader.string("layer"));
  TRY(const auto blob, reader.optionalObject("blob"));
  if (blob) {
    BlobRecord out;
    TRY(const std::string digest, blob->string("digest"));
    TRY(out.digest, oci::Digest::parse(digest));
    TRY(const std::string diffId, blob->string("diffId"));
    TRY(out.diffId, oci::Digest::parse(diffId));
    TRY(out.size, blob->integer("size"));
    TRY(const std::optional<std::string> format, blob->optionalString("format"));
    out.format = format == "zstd" ? compress::Format::kZstd : compress::Format::kGzip;
    record.blob = std::move(out);
  }
  return record;
}

/// ext4 puts what is made below a directory near it, and a search for a free inode there passes every one that was deleted in
/// the last minutes: builds and their clean-up slow each other down, by a factor at times. With this mark each directory made
/// in `directory` begins in an emptier part of the disk. Other file systems refuse it, which is fine.
void spreadDirectories(int directory) {
  constexpr int kTopDirectory = 0x00020000;  // FS_TOPDIR_FL, what `chattr +T` sets
  int flags = 0;
  if (::ioctl(directory, FS_IOC_GETFLAGS, &flags) == 0) {
    flags |= kTopDirectory;
    static_cast<void>(::ioctl(directory, FS_IOC_SETFLAGS, &flags));
  }
}

Status writeFile(const std::string& path, std::string_view text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("open", path, errno);
  }
  return writeAll(file.get(), text, path);
}

std::string bootId() {
  auto text = loadFile("/proc/sys/kernel/random/boot_id", 128);
  return text ? text->substr(0, text->find('\n')) : "unknown";
}

}  // namespace

Result<Store> Store::open(const std::string& root) {
  Store store(root);
  store.boot_ = bootId();
  CHECK_OK(store.prepare());
  return store;
}

Status Store::prepare() {
  for (const char* name : {"/bases", "/layers", "/steps", "/stems", "/blobs", "/places", "/images", "/caches", "/files", "/notes",
                           "/tmp", "/empty"}) {
    CHECK_OK(makeDirectories(root_ + name, 0700));
  }
  removeLeftovers();
  // Nobody sweeps between the making and the locking of ours.
  const Fd making(::open((root_ + "/tmp").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!making || ::flock(making.get(), LOCK_SH) != 0) {
    return systemError("lock", root_ + "/tmp", errno);
  }
  scratch_ = root_ + "/tmp/" + std::to_string(::getpid()) + "-" + toHex(randomBytes(4));
  CHECK_OK(makeDirectories(scratch_, 0700));
  lock_.reset(::open(scratch_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return systemError("lock", scratch_, errno);
  }
  spreadDirectories(lock_.get());
  return ok();
}

/// Whoever lives holds the lock of its directory.
void Store::removeLeftovers() const {
  auto tmp = openDirectory(root_ + "/tmp");
  if (!tmp || ::flock(tmp->get(), LOCK_EX | LOCK_NB) != 0) {
    return;  // somebody makes a directory just now: the next build sweeps
  }
  const auto names = layer::listDirectory(tmp->get(), "");
  std::vector<std::pair<std::string, Fd>> left;
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    Fd directory(::open((root_ + "/tmp/" + name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory && ::flock(directory.get(), LOCK_EX | LOCK_NB) == 0) {
      left.emplace_back(name, std::move(directory));
    }
  }
  static_cast<void>(::flock(tmp->get(), LOCK_UN));
  for (const auto& [name, directory] : left) {
    static_cast<void>(layer::removeTree(tmp->get(), name));
  }
}

Store::~Store() {
  if (!scratch_.empty()) {
    auto tmp = openDirectory(root_ + "/tmp");
    if (tmp) {
      static_cast<void>(layer::removeTree(tmp->get(), scratch_.substr(scratch_.rfind('/') + 1)));
    }
  }
}

Result<std::string> Store::makeScratchDirectory(const std::string& name) {
  const std::string path = scratch_ + "/" + name + "-" + toHex(randomBytes(4));
  CHECK_OK(makeDirectories(path, 0700));
  return path;
}

std::string Store::basePath(const std::string& chainId) const { return root_ + "/bases/" + chainId; }
std::string Store::cachePath(const std::string& id) const { return root_ + "/caches/" + sha256Hex(id); }
std::string Store::imagePath(const std::string& name) const { return root_ + "/images/" + sha256Hex(name) + ".json"; }
std::string Store::filesPath(const std::string& context) const { return root_ + "/files/" + sha256Hex(context); }

bool Store::hasBase(const std::string& chainId) const {
  const auto boot = loadFile(basePath(chainId) + "/boot", 128);
  return boot && *boot == boot_;
}

std::optional<StepRecord> Store::findStep(const std::string& key) const {
  const auto text = loadFile(stepPath(key), kRecordLimit);
  if (!text) {
    return std::nullopt;
  }
  auto record = parseRecord(*text, boot_);
  return record ? std::optional(std::move(*record)) : std::nullopt;
}

bool Store::mayKnow(const std::string& stem) const { return ::access(stemPath(stem).c_str(), F_OK) == 0; }

Status Store::noteStem(const std::string& stem) const { return writeFile(stemPath(stem), ""); }

std::vector<oci::Repository> Store::placesOf(const oci::Digest& digest) const {
  std::vector<oci::Repository> out;
  const std::string text = loadFile(placesPath(digest), kRecordLimit).value_or("");
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (auto repository = oci::parseRepository(text.substr(begin, end - begin))) {
      out.insert(out.begin(), std::move(*repository));
    }
    begin = end + 1;
  }
  return out;
}

Status Store::notePlace(const oci::Digest& digest, const oci::Repository& repository) const {
  std::vector<oci::Repository> places = placesOf(digest);
  if (std::find(places.begin(), places.end(), repository) != places.end()) {
    return ok();
  }
  places.resize(std::min(places.size(), kPlaces - 1));
  places.insert(places.begin(), repository);
  std::string text;
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    text += place->str() + "\n";
  }
  return saveScratchFile(placesPath(digest), text);
}

/// Layers have names of their own that never come back, so a note is true for as long as it is whole.
std::optional<std::string> Store::findNote(const std::string& name) const {
  const auto text = loadFile(notePath(name), kRecordLimit);
  return text && text->ends_with('\n') ? std::optional(text->substr(0, text->size() - 1)) : std::nullopt;
}

Status Store::saveNote(const std::string& name, const std::string& text) const {
  const std::string temporary = scratch_ + "/note-" + toHex(randomBytes(4));
  CHECK_OK(writeFile(temporary, text + "\n"));
  return ::rename(temporary.c_str(), notePath(name).c_str()) == 0 ? ok()
                                                                  : Status(systemError("rename", notePath(name), errno));
}

Result<std::string> Store::keepLayer(const std::string& made) const {
  const std::string id = toHex(randomBytes(8));
  if (::rename(made.c_str(), (root_ + "/layers/" + id).c_str()) != 0) {
    return systemError("rename", made, errno);
  }
  return id;
}

Status Store::saveStep(const std::string& key, const StepRecord& record) const {
  // Whole or not at all; no fsync, because nothing here outlives the machine's boot.
  const std::string temporary = scratch_ + "/record-" + toHex(randomBytes(4));
  CHECK_OK(writeFile(temporary, dumpJson(toJson(record, boot_))));
  if (::rename(temporary.c_str(), stepPath(key).c_str()) != 0) {
    return systemError("rename", stepPath(key), errno);
  }
  return ok();
}

Status Store::saveBase(const std::string& chainId, const std::string& made) const {
  CHECK_OK(writeFile(made + "/boot", boot_));
  const std::string at = basePath(chainId);
  if (::rename(made.c_str(), at.c_str()) == 0) {
    return ok();
  }
  if ((errno != EEXIST && errno != ENOTEMPTY) || hasBase(chainId)) {
    return hasBase(chainId) ? ok() : Status(systemError("rename", at, errno));
  }
  // Of an earlier boot: out of the way with it.
  if (::rename(at.c_str(), (scratch_ + "/old-" + toHex(randomBytes(4))).c_str()) != 0 && errno != ENOENT) {
    return systemError("rename", at, errno);
  }
  return ::rename(made.c_str(), at.c_str()) == 0 || hasBase(chainId) ? ok() : Status(systemError("rename", at, errno));
}

Store::Claim::Claim(Store& store, std::string name) : store_(store), name_(std::move(name)) {
  std::unique_lock lock(store_.claims_->mutex);
  store_.claims_->changed.wait(lock, [&] { return !store_.claims_->held.contains(name_); });
  store_.claims_->held.insert(name_);
}

Store::Claim::~Claim() {
  const std::lock_guard lock(store_.claims_->mutex);
  store_.claims_->held.erase(name_);
  store_.claims_->changed.notify_all();
}

}  // namespace stagewright::local
