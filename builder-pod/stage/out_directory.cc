#include "builder-pod/stage/out_directory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/file.h"
#include "lib/layer/root.h"

namespace stagewright::stage {

namespace {

Result<Fd> makeEmpty(int out, const std::string& name) {
  CHECK_OK(layer::removeTree(out, name));
  if (::mkdirat(out, name.c_str(), 0755) != 0) {
    return systemError("mkdir", name, errno);
  }
  return openBeneath(out, name, O_RDONLY | O_DIRECTORY);
}

Status isStill(int out, const std::string& name, const Fd& held) {
  TRY(const layer::FileStat before, layer::statAt(held.get(), ""));
  const auto now = layer::statAt(out, name);
  if (!now || now->inode != before.inode || !now->isDirectory()) {
    return invalid("a step replaced the directory " + quoted(name) + " of the builder's output");
  }
  return ok();
}

}  // namespace

Result<OutDirectory> OutDirectory::make(const std::string& path) {
  OutDirectory out;
  TRY(out.out_, openDirectory(path));
  TRY(out.layers_, makeEmpty(out.out_.get(), "layers"));
  TRY(out.artifacts_, makeEmpty(out.out_.get(), "artifacts"));
  return out;
}

Status OutDirectory::check() const {
  CHECK_OK(isStill(out_.get(), "layers", layers_));
  return isStill(out_.get(), "artifacts", artifacts_);
}

Result<OutDirectory::Place> OutDirectory::placeOf(const std::string& relative) const {
  const std::string directory(layer::parentOf(relative));
  const std::string name(layer::baseOf(relative));
  if (directory.empty()) {
    return Place{out_.get(), name};
  }
  return Place{directory == "layers" ? layers_.get() : artifacts_.get(), name};
}

Result<WrittenFile> OutDirectory::write(const std::string& relative,
                                        const std::function<Status(layer::ByteSink&)>& fill) {
  TRY(const Place place, placeOf(relative));
  const std::string temporary = place.name + ".tmp";
  CHECK_OK(layer::removeTree(place.directory, temporary));
  const Fd fd(::openat(place.directory, temporary.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd) {
    return systemError("create", temporary, errno);
  }
  ::fchmod(fd.get(), 0644);  // readable by the pods that come later, whatever our umask
  layer::HashingFileSink sink(fd.get(), relative);
  CHECK_OK(fill(sink));
  CHECK_OK(sink.finish());
  if (::fsync(fd.get()) != 0) {
    return systemError("fsync", relative, errno);
  }
  CHECK_OK(layer::removeTree(place.directory, place.name));
  if (::renameat(place.directory, temporary.c_str(), place.directory, place.name.c_str()) != 0) {
    return systemError("rename", relative, errno);
  }
  ::fsync(place.directory);
  WrittenFile written;
  written.size = sink.size();
  written.digest = "sha256:" + sink.sha256Hex();
  return written;
}

Result<Fd> OutDirectory::openGrowing(const std::string& name) {
  CHECK_OK(layer::removeTree(out_.get(), name));
  Fd fd(::openat(out_.get(), name.c_str(),
                 O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd) {
    return systemError("create", name, errno);
  }
  ::fchmod(fd.get(), 0644);
  return fd;
}

Status OutDirectory::writeText(const std::string& relative, std::string_view text) {
  return write(relative, [&](layer::ByteSink& sink) { return sink.write(text); })
      .map([](const WrittenFile&) {});
}

}  // namespace stagewright::stage
