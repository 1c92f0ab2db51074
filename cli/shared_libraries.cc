#include "cli/shared_libraries.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "builder-pod/prepare/subprocess.h"
#include "lib/base/fd.h"

namespace stagewright::cli {

namespace {

constexpr std::size_t kMaxInterpreter = 4096;

Status readAt(int fd, void* out, std::size_t size, std::uint64_t offset, const std::string& path) {
  if (::pread(fd, out, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size)) {
    return invalid("read " + quoted(path) + ": it is no complete ELF file");
  }
  return ok();
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos
             ? ""
             : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

Result<std::optional<std::string>> loadInterpreter(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return systemError("open", path, errno);
  }
  Elf64_Ehdr header;
  CHECK_OK(readAt(fd.get(), &header, sizeof header, 0, path));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_phentsize != sizeof(Elf64_Phdr)) {
    return invalid(quoted(path) + " is no 64-bit ELF program");
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    CHECK_OK(readAt(fd.get(), &segment, sizeof segment, header.e_phoff + i * sizeof segment, path));
    if (segment.p_type != PT_INTERP || segment.p_filesz == 0 ||
        segment.p_filesz > kMaxInterpreter) {
      continue;
    }
    std::string name(segment.p_filesz, '\0');
    CHECK_OK(readAt(fd.get(), name.data(), name.size(), segment.p_offset, path));
    return std::optional(name.substr(0, name.find('\0')));
  }
  return std::optional<std::string>();
}

Result<std::vector<std::string>> parseLoaderList(std::string_view text) {
  std::vector<std::string> paths;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t arrow = line.find("=>");
    const std::string_view name = trim(line.substr(0, std::min(line.find(" ("), arrow)));
    std::string_view path = arrow == std::string_view::npos ? name : trim(line.substr(arrow + 2));
    if (path.starts_with("not found")) {
      return invalid("shared library " + quoted(name, 256) + " was not found");
    }
    path = trim(path.substr(0, path.find(" (")));
    if (path.starts_with('/')) {  // the kernel's vdso has none
      paths.emplace_back(path);
    }
  }
  return paths;
}

Result<std::vector<std::string>> findSharedLibraries(const std::string& path) {
  TRY(std::optional<std::string> interpreter, loadInterpreter(path));
  if (!interpreter) {
    return std::vector<std::string>();
  }
  prepare::Program program;
  program.argv = {*interpreter, "--list", path};
  program.env = {"LC_ALL=C"};
  program.directory = "/";
  program.timeout = Millis(30'000);
  TRY(prepare::ProgramEnd end, prepare::runProgram(program));
  if (end.exitCode != 0) {
    return invalid(*interpreter + " --list " + path + ": " + end.err.substr(0, 512));
  }
  TRY(std::vector<std::string> paths, parseLoaderList(end.out));
  paths.push_back(*interpreter);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace stagewright::cli
