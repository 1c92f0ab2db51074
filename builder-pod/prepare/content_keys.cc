#include "builder-pod/prepare/content_keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <map>

#include "builder-pod/prepare/context_selection.h"
#include "builder-pod/prepare/directory.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"

namespace stagewright::prepare {

namespace {

constexpr std::string_view kFormat = "stagewright step 1";
constexpr std::size_t kPiece = 256 * 1024;

/// Lengths in front, so that no two lists of parts give the same bytes.
class KeyHash {
 public:
  void add(std::string_view part) {
    hash_.update(std::to_string(part.size()) + ":");
    hash_.update(part);
  }
  std::string hex() { return hash_.hex(); }

 private:
  Sha256 hash_;
};

/// The context's files, each hashed once.
class ContextDigests {
 public:
  explicit ContextDigests(int root) : root_(root) {}

  /// Everything that `use` names, as names, modes, targets and contents.
  Status add(KeyHash& hash, const plan::ContextUse& use) {
    ContextSelection selection;
    hash.add(use.path);
    hash.add(selection.add(root_, use) ? "files" : "nothing");
    return addBelow(hash, selection, "");
  }

 private:
  Status addBelow(KeyHash& hash, const ContextSelection& selection, const std::string& directory) {
    TRY(const std::vector<std::string> names, listDirectory(root_, directory));
    for (const std::string& name : names) {
      const std::string path = joinPath(directory, name);
      const bool covered = selection.covers(path);
      if (!covered && !selection.hasBelow(path)) {
        continue;
      }
      struct stat st {};
      if (::fstatat(root_, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return systemError("stat", path, errno);
      }
      if (covered) {
        hash.add(path);
        hash.add(std::to_string(st.st_mode));
        TRY(const std::string content, contentOf(path, st));
        hash.add(content);
      }
      if (S_ISDIR(st.st_mode)) {
        CHECK_OK(addBelow(hash, selection, path));
      }
    }
    return ok();
  }

  Result<std::string> contentOf(const std::string& path, const struct stat& st) {
    if (S_ISLNK(st.st_mode)) {
      char target[PATH_MAX];
      const ssize_t size = ::readlinkat(root_, path.c_str(), target, sizeof target);
      return size < 0 ? Result<std::string>(systemError("read link", path, errno))
                      : Result<std::string>(std::string(target, static_cast<std::size_t>(size)));
    }
    if (!S_ISREG(st.st_mode)) {
      return std::string();
    }
    const auto known = files_.find(path);
    if (known != files_.end()) {
      return known->second;
    }
    TRY(std::string digest, digestOf(path));
    return files_.emplace(path, std::move(digest)).first->second;
  }

  Result<std::string> digestOf(const std::string& path) const {
    TRY(const Fd file, openBeneath(root_, path, O_RDONLY | O_NONBLOCK));
    Sha256 hash;
    std::string buffer(kPiece, '\0');
    for (;;) {
      const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
      if (n < 0 && errno != EINTR) {
        return systemError("read", path, errno);
      }
      if (n == 0) {
        return hash.hex();
      }
      hash.update(std::string_view(buffer).substr(0, n < 0 ? 0 : static_cast<std::size_t>(n)));
    }
  }

  int root_;
  std::map<std::string, std::string> files_;
};

class Keys {
 public:
  Keys(plan::BuildPlan& plan, const KeyInputs& inputs)
      : plan_(plan), inputs_(inputs), context_(inputs.context) {}

  Status run() {
    for (plan::Stage& stage : plan_.stages) {
      std::string key = keyBelow(stage);
      for (plan::Step& step : stage.steps) {
        TRY(key, keyOf(step, key));
        step.contentKey = key;
      }
      stageKeys_.push_back(std::move(key));
    }
    return ok();
  }

 private:
  std::string keyBelow(const plan::Stage& stage) const {
    if (stage.base.kind == plan::Base::Kind::kStage) {
      return stageKey(stage.base.stage);
    }
    KeyHash hash;
    hash.add(kFormat);
    hash.add(inputs_.scope);
    hash.add(plan_.platform.str());
    hash.add(plan_.sourceDateEpoch ? std::to_string(*plan_.sourceDateEpoch) : "now");
    hash.add(stage.base.reference.substr(stage.base.reference.rfind('@') + 1));
    return hash.hex();
  }

  Result<std::string> keyOf(const plan::Step& step, const std::string& below) {
    KeyHash hash;
    hash.add(below);
    hash.add(step.cacheKey);
    if (const auto* copy = std::get_if<plan::CopyStep>(&step.action)) {
      for (const plan::CopySource& source : copy->sources) {
        CHECK_OK(addSource(hash, *copy, source));
      }
    } else if (const auto* run = std::get_if<plan::RunStep>(&step.action)) {
      for (const plan::Mount& mount : run->mounts) {
        CHECK_OK(addMount(hash, mount));
      }
    }
    return hash.hex();
  }

  Status addSource(KeyHash& hash, const plan::CopyStep& copy, const plan::CopySource& source) {
    using From = plan::CopySource::From;
    switch (source.from) {
      case From::kContext:
        return context_.add(hash, plan::contextUseOf(copy, source));
      case From::kStage:
        hash.add(stageKey(source.stage));
        break;
      case From::kFetched:
        hash.add(inputs_.fetched[static_cast<std::size_t>(source.fetchIndex)]);
        break;
      case From::kNamedContext:
        return internal("a named context that is a directory has no key");
      case From::kInline:  // part of the plan's own key
        break;
    }
    return ok();
  }

  Status addMount(KeyHash& hash, const plan::Mount& mount) {
    if (mount.fromStage >= 0) {
      hash.add(stageKey(mount.fromStage));
    } else if (mount.type == plan::Mount::Type::kBind) {
      return context_.add(hash, {mount.source, false, false});
    }
    return ok();
  }

  const std::string& stageKey(int stage) const {
    return stageKeys_[static_cast<std::size_t>(stage)];
  }

  plan::BuildPlan& plan_;
  const KeyInputs& inputs_;
  ContextDigests context_;
  std::vector<std::string> stageKeys_;
};

}  // namespace

Status setContentKeys(plan::BuildPlan& plan, const KeyInputs& inputs) {
  return Keys(plan, inputs).run();
}

}  // namespace stagewright::prepare
