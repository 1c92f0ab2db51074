#include "lib/kube/informer.h"

#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "lib/kube/watch_event.h"

namespace stagewright::kube {

namespace {

constexpr int kPage = 500;
constexpr std::chrono::seconds kTooShort{1};
constexpr std::chrono::minutes kPatience{1};  ///< with refusals of a watch, before a new list
constexpr std::chrono::seconds kBlip{10};     ///< a refusal that is over by then is not told
constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

}  // namespace

Informer::Informer(ApiClient& client, Clock& clock, InformerOptions options, Handler handler)
    : client_(client),
      clock_(clock),
      options_(std::move(options)),
      handler_(std::move(handler)),
      own_(options_.index),
      store_(own_),
      delay_(clock, options_.seed),
      random_(options_.seed),
      next_(options_.watchList ? Next::kWatchList : Next::kList),
      streams_(options_.watchList) {}

Informer::Informer(ApiClient& client, Clock& clock, InformerOptions options, Store& store,
                   Handler handler)
    : client_(client),
      clock_(clock),
      options_(std::move(options)),
      handler_(std::move(handler)),
      store_(store),
      delay_(clock, options_.seed),
      random_(options_.seed),
      next_(options_.watchList ? Next::kWatchList : Next::kList),
      streams_(options_.watchList) {}

void Informer::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (const std::optional<Millis> wait = step(stop)) {
      clock_.sleepFor(*wait, stop);
    }
  }
}

std::optional<Millis> Informer::step(std::stop_token stop) {
  return next_ == Next::kWatch       ? watchOnce(stop)
         : next_ == Next::kWatchList ? watchAll(stop)
                                     : listAll(stop);
}

std::string Informer::resourceVersion() const { return *version_.lock(); }

void Informer::setVersion(std::string version) { *version_.lock() = std::move(version); }

// ---- list ----

/// The first list may be served from the server's cache (version 0); later ones not older than what
/// we saw; after "gone" from the quorum (no version).
std::optional<Millis> Informer::listAll(std::stop_token stop) {
  const std::string seenVersion = resourceVersion();
  const std::string version = next_ == Next::kListFresh ? ""
                              : seenVersion.empty()     ? "0"
                                                        : seenVersion;
  std::set<std::string> seen;
  const ApiStatus listed = listPages(version, seen, stop);
  const bool denied = !listed && listed.error().code == Code::kDenied;
  const bool stillDenied = denied_.exchange(denied) && denied;
  if (listed) {
    dropUnseen(seen);
    becomeSynced();
    return std::nullopt;
  }
  unknown_.store(listed.error().code == Code::kNotFound);
  cutOff_.store(denied || unknown_.load());
  if (listed.error().code == Code::kCancelled) {
    return std::nullopt;
  }
  const bool fresh = next_ == Next::kListFresh;
  if (listed.error().isGone() ||
      listed.error().message.find("Too large resource version") != std::string::npos) {
    whole_ = fresh;  // a continue token ran out: pages take longer than the server's memory lasts
    next_ = Next::kListFresh;
    if (!fresh) {
      return std::nullopt;
    }
  }
  if (!stillDenied) {  // an operator without the right to read nodes would say so every minute
    log::warn("list failed, trying again", {{"error", listed.error().message}});
  }
  return std::max(delay_.next(), listed.error().retryAfter);
}

ApiStatus Informer::listPages(const std::string& version, std::set<std::string>& seen,
                              std::stop_token stop) {
  ListOptions options;
  options.labelSelector = options_.labelSelector;
  options.resourceVersion = version;
  // With a version the server's cache answers only lists without a limit.
  options.limit = (version.empty() || version == "0") && !whole_ ? kPage : 0;
  std::string listVersion;
  do {
    lists_.fetch_add(1);
    ApiResult<ListMeta> page = client_.list(
        options_.resource, options_.ns, options,
        [&](Json& object) {
          seen.insert(keyOf(object));
          upsert(object, "");
        },
        stop);
    if (!page) {
      return std::move(page).error();
    }
    if (listVersion.empty()) {
      listVersion = page->resourceVersion;
    }
    options.continueToken = page->continueToken;
    options.resourceVersion.clear();  // a continue token carries its own
  } while (!options.continueToken.empty());
  setVersion(listVersion);
  return {};
}

/// What the list did not hold was deleted while we were not looking.
void Informer::dropUnseen(const std::set<std::string>& seen) {
  const std::string ours = options_.ns.empty() ? "" : options_.ns + "/";
  for (const std::string& key : store_.keys()) {
    if (key.starts_with(ours) && !seen.contains(key)) {
      erase(key, "");
    }
  }
}

/// How to learn everything anew, from the quorum.
Informer::Next Informer::freshStart() const {
  return streams_ ? Next::kWatchList : Next::kListFresh;
}

void Informer::becomeSynced() {
  synced_.store(true);
  denied_.store(false);
  unknown_.store(false);
  cutOff_.store(false);
  whole_ = false;
  next_ = Next::kWatch;
  failingSince_.reset();
}

// ---- WatchList ----

/// The beginning as a stream: no answer of all objects is ever in memory at once. Once all are told
/// it goes on as an ordinary watch.
std::optional<Millis> Informer::watchAll(std::stop_token stop) {
  const SteadyPoint started = clock_.steadyNow();
  initial_.clear();
  int events = 0;
  const ApiStatus ended = watchFrom({.initialEvents = true}, events, stop);
  initial_.clear();
  if (next_ == Next::kWatch) {
    return afterWatch(ended, events, started);
  }
  if (!ended && ended.error().code == Code::kCancelled) {
    return std::nullopt;
  }
  const bool away = !ended && ended.error().code == Code::kUnavailable &&
                    (ended.error().status == 0 || ended.error().status == 429);
  if (away && events == 0) {
    log::warn("watch failed, trying again", {{"error", ended.error().message}});
    return std::max(delay_.next(), ended.error().retryAfter);
  }
  log::info("no initial events, listing instead",
            {{"error", ended ? std::string("the stream ended") : ended.error().message}});
  streams_ = ended || ended.error().code != Code::kInvalid;
  next_ = resourceVersion().empty() ? Next::kList : Next::kListFresh;
  return std::nullopt;
}

/// An object that exists, or the bookmark after the last of them.
ApiStatus Informer::onInitialEvent(WatchEvent event) {
  if (event.type == WatchEvent::Type::kAdded) {
    initial_.insert(keyOf(event.object));
    upsert(event.object, "");  // they come in no order of versions
    return {};
  }
  if (!event.isEndOfInitialEvents()) {
    return invalid("the server answers with changes where all objects were asked for");
  }
  dropUnseen(initial_);
  setVersion(std::move(event.resourceVersion));
  becomeSynced();
  return {};
}

// ---- watch ----

std::optional<Millis> Informer::watchOnce(std::stop_token stop) {
  const SteadyPoint started = clock_.steadyNow();
  int events = 0;
  const ApiStatus ended = watchFrom({.resourceVersion = resourceVersion()}, events, stop);
  return afterWatch(ended, events, started);
}

/// One watch to its end, which is an error if the server or an event says so.
ApiStatus Informer::watchFrom(WatchOptions options, int& events, std::stop_token stop) {
  options.labelSelector = options_.labelSelector;
  options.timeoutSeconds = std::uniform_int_distribution<int>(280, 300)(random_);
  ApiStatus bad;
  ApiStatus ended = client_.watch(
      options_.resource, options_.ns, options,
      [&](std::string_view line) {
        ApiResult<WatchEvent> event = parseWatchEvent(line);
        bad = !event                      ? ApiStatus(std::move(event).error())
              : next_ == Next::kWatchList ? onInitialEvent(std::move(*event))
                                          : onEvent(std::move(*event));
        events += bad ? 1 : 0;
        return bad.has_value();
      },
      stop);
  return bad ? ended : bad;
}

/// How the watch ended decides how we go on.
std::optional<Millis> Informer::afterWatch(const ApiStatus& ended, int events,
                                           SteadyPoint started) {
  const SteadyPoint now = clock_.steadyNow();
  if (events > 0) {
    failingSince_.reset();
  }
  if (ended) {
    failingSince_.reset();
    const bool healthy = events > 0 || now - started >= kTooShort;
    return healthy ? std::nullopt : std::optional(delay_.next());
  }
  const ApiError& error = ended.error();
  if (error.code == Code::kCancelled) {
    return std::nullopt;
  }
  if (error.isGone()) {
    next_ = freshStart();
    return events > 0 || now - started >= kTooShort ? std::nullopt : std::optional(delay_.next());
  }
  log::warn("watch broke, trying again", {{"error", error.message}});
  const Millis wait = std::max(delay_.next(), error.retryAfter);
  if (error.status == 0 && error.code == Code::kUnavailable) {
    return wait;  // the connection: the version we have is still good
  }
  if (error.status == 429) {
    return wait;
  }
  // An API server that is starting knows neither our rights nor the kinds of others yet.
  const bool refused = error.code == Code::kDenied || error.code == Code::kNotFound;
  if (error.status >= 500 || refused) {
    failingSince_ = failingSince_.value_or(now);
    cutOff_.store(cutOff_.load() || (refused && now - *failingSince_ > kBlip));
    next_ = now - *failingSince_ > kPatience ? Next::kList : Next::kWatch;
    return wait;
  }
  next_ = Next::kList;
  return wait;
}

ApiStatus Informer::onEvent(WatchEvent event) {
  cutOff_.store(false);
  switch (event.type) {
    case WatchEvent::Type::kBookmark:
      setVersion(std::move(event.resourceVersion));
      break;
    case WatchEvent::Type::kDeleted:
      erase(keyOf(event.object), event.resourceVersion);
      break;
    default:
      upsert(event.object, event.resourceVersion);
      break;
  }
  return {};
}

// ---- store ----

void Informer::clean(Json& object) const {
  const auto metadata = object.find("metadata");
  if (metadata != object.end() && metadata->is_object()) {
    metadata->erase("managedFields");
    if (const auto notes = metadata->find("annotations");
        notes != metadata->end() && notes->is_object()) {
      notes->erase(kLastApplied);
    }
  }
  if (options_.trim) {
    options_.trim(object);
  }
}

/// `version` is what the store has seen with this object; the handler's readers must find both.
void Informer::upsert(Json& object, const std::string& version) {
  clean(object);
  const std::string key = keyOf(object);
  const std::optional<Json> before = store_.get(key);
  const bool changed = !before || before->at("metadata").value("resourceVersion", "") !=
                                      object["metadata"].value("resourceVersion", "");
  if (changed) {
    store_.put(object);
  }
  advance(version);
  if (changed) {
    handler_(Change{key, before ? &*before : nullptr, &object, !synced_.load()});
  }
}

void Informer::erase(const std::string& key, const std::string& version) {
  const std::optional<Json> before = store_.get(key);
  store_.erase(key);
  advance(version);
  if (before) {
    handler_(Change{key, &*before, nullptr, false});
  }
}

void Informer::advance(const std::string& version) {
  if (!version.empty()) {
    setVersion(version);
  }
}

}  // namespace stagewright::kube
