#include "lib/plan/cache_key.h"

#include "lib/plan/plan_names.h"

namespace stagewright::plan {

namespace {

const std::string& keyOf(const StageKeys& keys, int stage) {
  return keys[static_cast<std::size_t>(stage)];
}

const std::string& exportPath(const BuildPlan& plan, int stage, int index) {
  return plan.stages[static_cast<std::size_t>(stage)].exports[static_cast<std::size_t>(index)].path;
}

void addMount(CacheKey& key, const Mount& m, const BuildPlan& plan, const StageKeys& stageKeys) {
  key.add(mountTypeText(m.type)).add(m.target).add(m.source).add(m.context).add(m.id).add(m.env);
  key.add(m.envOnly ? 1 : 0).add(m.sharing).add(m.required ? 1 : 0).add(m.readOnly ? 1 : 0);
  key.add(m.mode ? std::int64_t{*m.mode} : -1)
      .add(std::int64_t{m.uid})
      .add(std::int64_t{m.gid})
      .add(m.size);
  if (m.fromStage >= 0) {
    key.add("from")
        .add(keyOf(stageKeys, m.fromStage))
        .add(exportPath(plan, m.fromStage, m.fromExport));
  }
}

void addSource(CacheKey& key, const CopySource& source, const BuildPlan& plan,
               const StageKeys& stageKeys) {
  key.add(copyFromText(source.from)).add(source.path).add(source.context).add(source.content);
  if (source.from == CopySource::From::kStage) {
    key.add(keyOf(stageKeys, source.stage));
  }
  if (source.from == CopySource::From::kFetched) {
    const Fetch& fetch = plan.fetches[static_cast<std::size_t>(source.fetchIndex)];
    key.add(fetch.url).add(fetch.checksum).add(fetch.git ? 1 : 0).add(fetch.keepGitDir ? 1 : 0);
  }
}

}  // namespace

CacheKey& CacheKey::add(std::string_view part) {
  std::string length(8, '\0');
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<char>((static_cast<std::uint64_t>(part.size()) >> (8 * i)) & 0xFFU);
  }
  hash_.update(length);
  hash_.update(part);
  return *this;
}

CacheKey& CacheKey::addList(const std::vector<std::string>& parts) {
  add(static_cast<std::int64_t>(parts.size()));
  for (const std::string& part : parts) {
    add(part);
  }
  return *this;
}

std::string imageKeyOf(const std::string& pinnedReference) {
  // The digest alone: where the image was pulled from does not change it.
  return CacheKey("image")
      .add(std::string_view(pinnedReference).substr(pinnedReference.rfind('@') + 1))
      .hex();
}

std::string scratchKeyOf(const oci::Platform& platform) {
  return CacheKey("scratch").add(platform.str()).hex();
}

std::string runKey(const std::string& parent, const RunStep& run,
                   const std::vector<std::string>& env, const BuildPlan& plan,
                   const StageKeys& stageKeys) {
  CacheKey key("run");
  key.add(parent).addList(run.argv).addList(env).add(run.workdir).add(run.user);
  key.add(run.networkNone ? 1 : 0).add(run.networkHost ? 1 : 0).add(run.insecure ? 1 : 0);
  key.add(static_cast<std::int64_t>(run.mounts.size()));
  for (const Mount& mount : run.mounts) {
    addMount(key, mount, plan, stageKeys);
  }
  key.add(static_cast<std::int64_t>(run.pipes.size()));
  for (const PipeFile& pipe : run.pipes) {
    key.add(pipe.name).add(pipe.content);
  }
  return key.hex();
}

std::string copyKey(const std::string& parent, const CopyStep& copy, const BuildPlan& plan,
                    const StageKeys& stageKeys) {
  CacheKey key("copy");
  key.add(parent).add(copy.isAdd ? 1 : 0).add(copy.destination).add(copy.chown).add(copy.chmod);
  key.add(copy.link ? 1 : 0).add(copy.parents ? 1 : 0).addList(copy.excludes);
  key.add(copy.unpack ? (*copy.unpack ? 1 : 0) : -1)
      .add(static_cast<std::int64_t>(copy.sources.size()));
  for (const CopySource& source : copy.sources) {
    addSource(key, source, plan, stageKeys);
  }
  return key.hex();
}

std::string workdirKey(const std::string& parent, const WorkdirStep& workdir) {
  return CacheKey("workdir").add(parent).add(workdir.path).add(workdir.user).hex();
}

}  // namespace stagewright::plan
