"""What must be true whatever was disturbed: invariants over every version of every object (a watch) and every request
of the operator (the audit log), and the comparison with an undisturbed run."""
import collections
import json
import re
import threading

from control_plane import OPERATOR_USER

GROUP = "build.stagewright.dev"
BUILDS = "/apis/build.stagewright.dev/v1alpha1"


def label(o, key):
    return o["metadata"].get("labels", {}).get(f"{GROUP}/{key}", "")


def condition(status, kind):
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {"status": "absent", "reason": ""})


class Recorder:
    """Every version of ImageBuilds, pods and claims, in the order in which they came to be."""

    KINDS = {"build": f"{BUILDS}/imagebuilds", "pod": "/api/v1/pods", "claim": "/api/v1/persistentvolumeclaims"}

    def __init__(self, api):
        self.api, self.lock, self.seen, self.stopped = api, threading.Lock(), {}, False
        self.threads = [threading.Thread(target=self.follow, args=(kind, path), daemon=True) for kind, path in self.KINDS.items()]
        for thread in self.threads:
            thread.start()

    def follow(self, kind, path):
        version = ""
        while not self.stopped:
            try:
                if not version:
                    listed = self.api.request("GET", path)
                    for item in listed["items"]:
                        self.add(kind, "ADDED", item)
                    version = listed["metadata"]["resourceVersion"]
                version = self.watch(kind, path, version)
            except Exception:  # the API server is away, or the kind is: both are tests
                threading.Event().wait(0.2)
                version = version if self.is_away() else ""

    def is_away(self):
        try:
            self.api.request("GET", "/livez")
            return False
        except Exception:
            return True

    def watch(self, kind, path, version):
        connection = self.api.connect(timeout=120)
        try:
            connection.request("GET", f"{path}?watch=1&allowWatchBookmarks=true&resourceVersion={version}")
            answer = connection.getresponse()
            if answer.status != 200:
                return "" if answer.status == 410 else version
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self.add(kind, event["type"], event["object"])
        except (OSError, ValueError):
            pass
        finally:
            connection.close()
        return version

    def add(self, kind, event, o):
        with self.lock:
            self.seen[(int(o["metadata"]["resourceVersion"]), kind, o["metadata"]["uid"], event == "DELETED")] = o

    def history(self, namespace):
        """(version, kind, is deletion, object), in order."""
        with self.lock:
            rows = sorted(self.seen.items(), key=lambda row: row[0][:2])
        return [(k[0], k[1], k[3], o) for k, o in rows if o["metadata"]["namespace"] == namespace]


class Audit:
    """The operator's requests, from the audit log."""

    def __init__(self, path):
        self.path = path

    def requests(self, namespace=None):
        """Requests of the operator about objects."""
        with open(self.path) as log:
            for line in log:
                entry = json.loads(line)
                if entry["user"]["username"] != OPERATOR_USER or "objectRef" not in entry:  # /version has none
                    continue
                if namespace is None or entry.get("objectRef", {}).get("namespace") == namespace:
                    yield entry

    @staticmethod
    def replica(entry):
        found = re.search(r"replica/(\S+)", entry.get("userAgent", ""))
        return found.group(1) if found else ""


WRITES = ("create", "update", "patch", "delete")


def is_write(entry):
    return entry["verb"] in WRITES and entry["objectRef"]["resource"] not in ("events", "leases")


def writes_of(audit, namespace):
    """Writes that reached the API server, by (verb, resource). Events are counted apart: they are hints."""
    return collections.Counter((e["verb"], e["objectRef"]["resource"]) for e in audit.requests(namespace) if is_write(e))


# ---- invariants ----

def check_kstatus(o):
    """controllers.md 28 and 29, over one version of an ImageBuild."""
    status, meta = o.get("status", {}), o["metadata"]
    if status.get("observedGeneration", -1) == -1:
        return  # the CRD's default: InProgress to kstatus
    where = f"{meta['name']} at version {meta['resourceVersion']}: {json.dumps(status.get('conditions'))}"
    ready, kinds = condition(status, "Ready"), [c["type"] for c in status.get("conditions", [])]
    assert ready["status"] in ("True", "False", "Unknown"), f"no Ready: {where}"
    assert len(kinds) == len(set(kinds)), f"a condition twice: {where}"
    stalled, reconciling = condition(status, "Stalled"), condition(status, "Reconciling")
    assert stalled["status"] in ("absent", "True") and reconciling["status"] in ("absent", "True"), f"present but not True: {where}"
    assert not (stalled["status"] == "True" and reconciling["status"] == "True"), f"Stalled and Reconciling: {where}"
    if ready["status"] == "True":
        assert stalled["status"] == "absent" and reconciling["status"] == "absent", f"Ready and {where}"
    if ready["status"] == "False":
        assert stalled["status"] == "True" or ready["reason"] == "Cancelled", f"failed but not Stalled: {where}"
    assert status["observedGeneration"] <= meta["generation"], f"observedGeneration from the future: {where}"
    for c in status["conditions"]:
        assert c["observedGeneration"] <= meta["generation"], f"condition {c['type']} from the future: {where}"
        assert len(c["message"]) <= 32768 and len(c["reason"]) <= 1024 and c["reason"], f"bounds of {c['type']}: {where}"


def check_history(history):
    """Each attempt has one pod ever, and no stage two that could act at the same time."""
    uid_of_name, acting = {}, {}
    for version, kind, deleted, o in history:
        meta = o["metadata"]
        if kind == "build" and not deleted:
            check_kstatus(o)
        if kind != "pod" or not label(o, "run"):
            continue
        known = uid_of_name.setdefault(meta["name"], meta["uid"])
        assert known == meta["uid"], f"pod {meta['name']} was created twice: {known}, {meta['uid']}"
        part = (label(o, "build"), label(o, "run"), label(o, "role"), label(o, "stage"))
        if deleted or o["status"].get("phase") in ("Succeeded", "Failed"):
            acting.setdefault(part, {}).pop(meta["uid"], None)
        else:
            acting.setdefault(part, {})[meta["uid"]] = meta["name"]
        assert len(acting.get(part, {})) <= 1, f"two pods of {part} at version {version}: {sorted(acting[part].values())}"


def check_quiet_after_end(history):
    """Once a run has ended its status stands, and nothing of it is created."""
    ended, born = {}, set()
    for version, kind, deleted, o in history:
        meta = o["metadata"]
        if kind == "build" and not deleted:
            run = o.get("status", {}).get("run", {})
            before = ended.get(meta["uid"])
            if before and before[0] == run.get("id"):
                assert o["status"] == before[1], f"the status of {meta['name']} changed after its end, at version {version}"
            elif run.get("result"):
                ended[meta["uid"]] = (run["id"], o["status"])
        elif kind != "build" and meta["uid"] not in born and not deleted:
            born.add(meta["uid"])
            over = {run for run, _ in ended.values()}
            assert label(o, "run") not in over, f"{kind} {meta['name']} was created after its run had ended"


def check_audit(audit, namespace):
    """At most one successful create per name, and each delete only once."""
    made = collections.Counter()
    for e in audit.requests(namespace):
        if is_write(e) and e.get("responseStatus", {}).get("code", 0) < 300 and e["verb"] == "create":
            made[(e["objectRef"]["resource"], e["objectRef"].get("name", ""))] += 1
    twice = {name: n for name, n in made.items() if n > 1 and name[1]}
    assert not twice, f"created more than once: {twice}"


def check_all(recorder, audit, namespace):
    history = recorder.history(namespace)
    check_history(history)
    check_quiet_after_end(history)
    check_audit(audit, namespace)


# ---- the comparison with the undisturbed run ----

VOLATILE = {"startTime", "completionTime", "durationSeconds", "lastTransitionTime", "admittedTime", "activeTime", "generation",
            "failingSince", "node", "pod", "resourceVersion", "retryAt", "duration"}


def end_state(build, attempts=True):
    """The status without times, nodes and what is made at random. Without `attempts` also without how often what was tried."""
    run = build["status"].get("run", {}).get("id", "")

    def clean(value):
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items() if k not in VOLATILE}
        if isinstance(value, list):
            return [clean(v) for v in value]
        if isinstance(value, str):
            for text, placeholder in ((f"{build['metadata']['name']}-{run}", "NAME-RUN"), (run, "RUN"), (build["metadata"]["namespace"], "NS")):
                value = value.replace(text, placeholder) if text else value
        return value
    status = clean(build["status"])
    for gone in ("inputHash", "image", "output", "lastSuccessful"):  # they name the repository, which differs by design
        status.pop(gone, None)
    for run in status.get("history", []):
        run.pop("digest", None)
    for c in status["conditions"]:
        if c["status"] == "True":  # the image's digest, and what was last waited for
            c.pop("message", None)
    status["hasImage"] = bool(build["status"].get("image"))
    return status if attempts else without_attempts(status)


def without_attempts(state):
    """An end state as end_state(…, attempts=False) would have given it."""
    skip = {"attempt", "attempts", "upstream", "infrastructureRetries", "restarts", "trigger", "sequence"}
    if isinstance(state, dict):
        return {k: without_attempts(v) for k, v in state.items() if k not in skip and state.get("result") != "Restarted"}
    return [kept for kept in map(without_attempts, state) if kept != {}] if isinstance(state, list) else state


def differences(found, wanted, path=""):
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [d for key in sorted(found.keys() | wanted.keys()) for d in differences(found.get(key), wanted.get(key), f"{path}.{key}")]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [d for i, pair in enumerate(zip(found, wanted)) for d in differences(*pair, f"{path}[{i}]")]
    return [] if found == wanted else [f"{path}: {found!r} instead of {wanted!r}"]


def assert_same(found, wanted):
    """Equal end states, or a sentence for each difference."""
    wrong = differences(found, wanted)
    assert not wrong, "another end than undisturbed: " + "; ".join(wrong)[:1500]


def effects(history, build):
    """The pods that a build ever had."""
    return sorted({(label(o, "role"), label(o, "stage"), label(o, "attempt")) for _, kind, _, o in history if kind == "pod" and label(o, "build") == build})
