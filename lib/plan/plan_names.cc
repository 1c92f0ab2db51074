#include "lib/plan/plan_names.h"

#include <array>
#include <utility>

namespace stagewright::plan {

namespace {

template <class E, std::size_t N>
using Names = std::array<std::pair<E, std::string_view>, N>;

constexpr Names<Mount::Type, 5> kMountTypes = {{{Mount::Type::kBind, "bind"},
                                                {Mount::Type::kCache, "cache"},
                                                {Mount::Type::kTmpfs, "tmpfs"},
                                                {Mount::Type::kSecret, "secret"},
                                                {Mount::Type::kSsh, "ssh"}}};
constexpr Names<CopySource::From, 5> kCopyFroms = {
    {{CopySource::From::kContext, "context"},
     {CopySource::From::kStage, "stage"},
     {CopySource::From::kInline, "inline"},
     {CopySource::From::kFetched, "fetched"},
     {CopySource::From::kNamedContext, "namedContext"}}};
constexpr Names<Base::Kind, 3> kBaseKinds = {{{Base::Kind::kScratch, "scratch"},
                                              {Base::Kind::kImage, "image"},
                                              {Base::Kind::kStage, "stage"}}};

template <class E, std::size_t N>
std::string_view textOf(const Names<E, N>& names, E value) {
  for (const auto& [candidate, text] : names) {
    if (candidate == value) {
      return text;
    }
  }
  return {};
}

template <class E, std::size_t N>
std::optional<E> valueOf(const Names<E, N>& names, std::string_view text) {
  for (const auto& [value, candidate] : names) {
    if (candidate == text) {
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view mountTypeText(Mount::Type type) { return textOf(kMountTypes, type); }
std::optional<Mount::Type> mountTypeOf(std::string_view text) { return valueOf(kMountTypes, text); }
std::string_view copyFromText(CopySource::From from) { return textOf(kCopyFroms, from); }
std::optional<CopySource::From> copyFromOf(std::string_view text) {
  return valueOf(kCopyFroms, text);
}
std::string_view baseKindText(Base::Kind kind) { return textOf(kBaseKinds, kind); }
std::optional<Base::Kind> baseKindOf(std::string_view text) { return valueOf(kBaseKinds, text); }

}  // namespace stagewright::plan
