#include "cli/image_content.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "cli/shared_libraries.h"
#include "lib/base/fd.h"
#include "lib/layer/tar_writer.h"

namespace stagewright::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCaBundle = "/etc/ssl/certs/ca-certificates.crt";

Result<std::string> imagePath(const std::string& destination) {
  if (!destination.starts_with('/')) {
    return invalid("path " + stagewright::quoted(destination) + " in the image is not absolute");
  }
  return layer::cleanEntryName(destination);
}

Status copyData(const std::string& source, std::int64_t size, layer::TarWriter& tar) {
  const Fd fd(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return systemError("open", source, errno);
  }
  layer::FileSource file(fd.get(), source);
  std::string buffer(256 * 1024, '\0');
  while (size > 0) {
    const auto wanted = static_cast<std::size_t>(
        std::min<std::int64_t>(size, static_cast<std::int64_t>(buffer.size())));
    TRY(std::size_t n, file.read(buffer.data(), wanted));
    if (n == 0) {
      return conflict(source + " became shorter while it was read");
    }
    CHECK_OK(tar.data(std::string_view(buffer).substr(0, n)));
    size -= static_cast<std::int64_t>(n);
  }
  return ok();
}

}  // namespace

Status ImageContent::addParents(const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    CHECK_OK(addDirectory("/" + path.substr(0, slash), 0));
  }
  return ok();
}

/// Mode 0: whatever it has, 0755 for a new one.
Status ImageContent::addDirectory(const std::string& destination, unsigned mode) {
  TRY(std::string path, imagePath(destination));
  if (path.empty()) {
    return ok();
  }
  CHECK_OK(addParents(path));
  auto [it, added] = members_.try_emplace(path);
  layer::TarEntry& entry = it->second.entry;
  if (!added && entry.type != layer::TarType::kDirectory) {
    return invalid("/" + path + " is a directory and something else");
  }
  if (added || mode != 0) {
    entry.mode = mode != 0 ? mode : 0755;
  }
  entry.type = layer::TarType::kDirectory;
  entry.name = path;
  return ok();
}

Status ImageContent::addFile(const std::string& source, const std::string& path) {
  struct stat info {};
  if (::stat(source.c_str(), &info) != 0) {
    return systemError("stat", source, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return invalid(source + " is no regular file");
  }
  CHECK_OK(addParents(path));
  Member& member = members_[path];
  member.source = source;
  member.entry = {};
  member.entry.name = path;
  member.entry.mode = (info.st_mode & 0111) != 0 ? 0755 : 0644;
  member.entry.size = info.st_size;
  return ok();
}

Status ImageContent::addLink(const std::string& path, const std::string& target) {
  CHECK_OK(addParents(path));
  Member& member = members_[path];
  member = {};
  member.entry.type = layer::TarType::kSymlink;
  member.entry.name = path;
  member.entry.link = target;
  member.entry.mode = 0777;
  return ok();
}

Status ImageContent::addTree(const std::string& source, const std::string& destination) {
  TRY(std::string path, imagePath(destination));
  std::error_code error;
  const fs::file_status status = fs::symlink_status(source, error);
  if (fs::is_symlink(status)) {
    return addLink(path, fs::read_symlink(source, error).string());
  }
  if (!fs::is_directory(status)) {
    return addFile(source, path);
  }
  CHECK_OK(addDirectory(destination, 0));
  for (const fs::directory_entry& child : fs::directory_iterator(source, error)) {
    CHECK_OK(addTree(child.path().string(), destination + "/" + child.path().filename().string()));
  }
  return error ? Status(systemError("read directory", source, error.value())) : ok();
}

/// /lib/x86_64-linux-gnu/libc.so.6 goes to usr/lib/x86_64-linux-gnu/libc.so.6, and /lib becomes a
/// link to usr/lib.
Status ImageContent::addLibrary(const std::string& path) {
  std::error_code error;
  const fs::path directory = fs::canonical(fs::path(path).parent_path(), error);
  if (error) {
    return systemError("realpath", path, error.value());
  }
  const fs::path root = "/" + fs::path(path).relative_path().begin()->string();
  if (fs::is_symlink(root, error)) {
    CHECK_OK(addLink(root.relative_path().string(), fs::read_symlink(root, error).string()));
  }
  return addFile(path, (directory / fs::path(path).filename()).relative_path().string());
}

Status ImageContent::addProgram(const std::string& source, const std::string& destination) {
  TRY(std::string path, imagePath(destination));
  CHECK_OK(addFile(source, path));
  std::error_code error;
  TRY(std::vector<std::string> libraries,
      findSharedLibraries(fs::absolute(source, error).string()));
  for (const std::string& library : libraries) {
    CHECK_OK(addLibrary(library));
  }
  return ok();
}

Status ImageContent::addCaCertificates() {
  Status added = addFile(std::string(kCaBundle), std::string(kCaBundle.substr(1)));
  if (!added && added.error().code == Code::kNotFound) {
    return notFound(std::string(kCaBundle) +
                    " does not exist; install the package ca-certificates");
  }
  return added;
}

Status ImageContent::write(layer::ByteSink& sink) const {
  layer::TarWriter tar(sink);
  for (const auto& [path, member] : members_) {
    CHECK_OK(tar.begin(member.entry));
    if (member.entry.type == layer::TarType::kFile) {
      CHECK_OK(copyData(member.source, member.entry.size, tar));
    }
    CHECK_OK(tar.end());
  }
  return tar.finish();
}

}  // namespace stagewright::cli
