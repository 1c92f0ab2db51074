"""What every workload of run.py needs: a bench that creates builds, waits for them, and reads the audit log and /proc."""
import collections
import datetime
import json
import os
import pathlib
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "faults"))

from control_plane import ControlPlane, wait_until  # noqa: E402
from oracle import BUILDS, condition  # noqa: E402
from replica import Replica  # noqa: E402
from world import CHAIN, SINGLE  # noqa: E402

STAGES = 5
STAGE_MS = 2000
EXIT_MS = 300
IDEAL = STAGES * STAGE_MS / 1000  # of the chain: each stage waits for the one before


def say(text):
    print(text, file=sys.stderr, flush=True)


def percentiles(values):
    """p50, p95, p99 and the largest, in milliseconds."""
    ordered = sorted(values)
    pick = lambda q: round(1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))])
    return {"n": len(ordered), "p50": pick(0.50), "p95": pick(0.95), "p99": pick(0.99), "max": pick(1)} if ordered else {"n": 0}


def seconds(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def by_controller(entry):
    """Whether a request in the audit log is of what is measured: it has a service account, as in a cluster."""
    return entry["user"]["username"].startswith("system:serviceaccount")


def process_use(*pids):
    """Memory in MB and CPU seconds of processes."""
    memory = cpu = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        memory += next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return round(memory / 1024, 1), cpu


class Bench:
    """A bench of our operator. One of another controller says in its own way what is under the first headline."""

    controller = "stagewright"
    CHAINS = True  # whether it can do the stages of a build one by one
    SINGLE = {"dockerfile": SINGLE}  # what `create` takes for a build of one stage
    resources = ("imagebuilds",)

    def __init__(self, plane, scale):
        self.plane, self.api, self.scale = plane, plane.api, scale
        self.mark = 0  # bytes of the audit log before the present workload
        self.set_times()

    # ---- what is measured ----

    @staticmethod
    def control_plane():
        return ControlPlane(nodes=10)

    TIMES = ({"Role": "stage", "Run": STAGE_MS, "Exit": EXIT_MS}, *({"Role": role, "Run": 200, "Exit": EXIT_MS} for role in ("prepare", "publish")))

    def set_times(self):
        self.plane.rules(*self.TIMES)

    def operator(self, name, **options):
        options.setdefault("direct", True)
        replica = Replica(self.plane, name, **options)
        started = time.monotonic()
        replica.start()
        self.ready_after = time.monotonic() - started
        return replica

    def warm(self, name):
        """An operator that has had one run, as those of the peers."""
        replica, ns = self.operator(name), self.namespace(f"{name}-warm")
        self.create(ns, "warm", **self.SINGLE)
        self.all_done(ns, 1, 120)
        time.sleep(3)  # its pods go
        return replica

    def use(self, replica):
        return process_use(replica.process.pid)

    def create(self, ns, name, dockerfile=CHAIN):
        self.api.create(f"{BUILDS}/namespaces/{ns}/imagebuilds", {
            "apiVersion": "build.stagewright.dev/v1alpha1", "kind": "ImageBuild", "metadata": {"name": name},
            "spec": {"dockerfileInline": dockerfile, "output": {"image": f"registry.invalid/{ns}/app:1"}}})

    def lists(self, ns=None):
        """Paths of the lists that hold the builds; what another object owns is none."""
        return [f"{BUILDS}/namespaces/{ns}/imagebuilds" if ns else f"{BUILDS}/imagebuilds"]

    def clean(self, ns, patience):
        """Waits until nothing is left to be done for what has finished."""
        wait_until("the pods to be gone", patience, lambda: not self.api.get(f"/api/v1/namespaces/{ns}/pods?limit=1")["items"], 1)

    def is_finished(self, status):
        return condition(status, "Finished")["status"] == "True"

    def succeeded_at(self, status):
        """The time stamp; None if it did not, or not yet."""
        ready = condition(status, "Ready")
        return ready["lastTransitionTime"] if ready["status"] == "True" else None

    def build_of_first_pod(self, pod):
        """The name of the build whose first pod this is; None if it is a later one."""
        return pod.rsplit("-", 3)[0] if "-prepare-" in pod else None

    # ---- running it ----

    def count(self, n):
        return max(1, int(n * self.scale))

    def namespace(self, name):
        self.plane.namespace(name)
        return name

    def begin(self):
        self.mark = self.plane.audit.stat().st_size

    def requests(self):
        with open(self.plane.audit) as log:
            log.seek(self.mark)
            for line in log:
                if not line.startswith("{") or not line.endswith("\n"):  # the API server is writing it, or was at the mark
                    continue
                entry = json.loads(line)
                if "objectRef" in entry:  # /version has none
                    yield entry

    def create_at(self, rate, total, make):
        """Creates `total` objects, `rate` per second (0: as fast as four clients can)."""
        if rate == 0:
            threads = [threading.Thread(target=lambda k=k: [make(i) for i in range(k, total, 4)]) for k in range(4)]
            [t.start() for t in threads]
            [t.join() for t in threads]
            return
        begin = time.monotonic()
        for i in range(total):
            time.sleep(max(0, begin + i / rate - time.monotonic()))
            make(i)

    def statuses(self, ns=None):
        """Of all builds, page by page."""
        out = []
        for path in self.lists(ns):
            token = None
            while token != "":
                page = self.api.get(f"{path}?limit=500&continue={token or ''}")
                out += [(b["metadata"], b.get("status", {})) for b in page["items"] if "ownerReferences" not in b["metadata"]]
                token = page["metadata"].get("continue", "")
        return out

    def all_done(self, ns, total, patience):
        def done():
            finished = sum(1 for _, s in self.statuses(ns) if self.is_finished(s))
            say(f"  {finished}/{total} finished")
            return finished >= total
        wait_until(f"{total} builds", patience, done, max(2, total / 200))  # a list of thousands is work for the API server too

    # ---- what the audit log says ----

    def first_pods(self, prefix=""):
        """Seconds from the creation of a build to the arrival of its first pod's POST."""
        born, first = {}, {}
        for e in self.requests():
            ref = e.get("objectRef", {})
            ns = ref.get("namespace", "")
            if e["verb"] != "create" or not ns.startswith(prefix) or e["responseStatus"]["code"] >= 300:
                continue
            name = ref.get("name", "")
            if ref["resource"] in self.resources and not by_controller(e):
                born[(ns, name)] = seconds(e["stageTimestamp"])
            elif ref["resource"] == "pods" and (build := self.build_of_first_pod(name)):
                first.setdefault((ns, build), seconds(e["requestReceivedTimestamp"]))
        return [first[key] - born[key] for key in first if key in born]

    def calls(self, builds):
        """Requests of the controller per build, by verb and resource; Events and Leases apart."""
        counts = collections.Counter()
        for e in self.requests():
            if not by_controller(e):
                continue
            ref = e["objectRef"]
            what = f"{e['verb']} {ref['resource']}" + (f"/{ref['subresource']}" if ref.get("subresource") else "")
            counts[what] += 1
            counts["429"] += e["responseStatus"]["code"] == 429
        per = {k: round(v / builds, 2) for k, v in sorted(counts.items())}
        total = lambda *verbs: round(sum(v for k, v in per.items() if k.split()[0] in verbs and "events" not in k and "leases" not in k), 2)
        return {"writes_per_build": total("create", "patch", "update"), "deletes_per_build": total("delete"), "reads_per_build": total("get", "list"), "calls_per_build": per}

    def overheads(self, ns):
        """Seconds of a build beyond what its stages work."""
        out = []
        for meta, status in self.statuses(ns):
            if at := self.succeeded_at(status):
                out.append(seconds(at) - seconds(meta["creationTimestamp"]) - IDEAL)
        return out

    # ---- many finished builds, without building them ----

    def seed(self, ns, total):
        """`total` finished builds with the status of one that was really built."""
        self.create(ns, "model")
        self.all_done(ns, 1, 120)
        model = self.api.get(f"{BUILDS}/namespaces/{ns}/imagebuilds/model")

        def make(i):
            name = f"s{i:05}"
            self.create(ns, name)
            text = json.dumps(model["status"]).replace('"model', f'"{name}').replace(" model-", f" {name}-")
            self.api.patch(f"{BUILDS}/namespaces/{ns}/imagebuilds/{name}/status", {"status": json.loads(text)})
        return make


def report(workload, **values):
    print(json.dumps({"workload": workload, **values}), flush=True)


def measure(bench, workload, ns, total, rate, patience=900, **shape):
    """Builds `total` and reports everything that the audit log and the process say. `shape` is for `create`; without it the
    builds are chains."""
    bench.namespace(ns)
    replica = bench.warm(ns)
    memory0, cpu0 = bench.use(replica)
    bench.begin()
    started = time.monotonic()
    bench.create_at(rate, total, lambda i: bench.create(ns, f"b{i:05}", **shape))
    created = time.monotonic() - started
    bench.all_done(ns, total, patience)
    took = time.monotonic() - started
    bench.clean(ns, patience)
    memory, cpu = bench.use(replica)
    over = [] if shape else bench.overheads(ns)
    report(workload, controller=bench.controller, builds=total, rate=rate, creating_s=round(created, 1), all_done_s=round(took, 1),
           builds_per_minute=round(60 * total / took, 1), succeeded=sum(1 for _, s in bench.statuses(ns) if bench.succeeded_at(s)),
           first_pod_ms=percentiles(bench.first_pods(ns)), overhead_ms=percentiles(over), **bench.calls(total),
           cpu_s_per_build=round((cpu - cpu0) / total, 4), memory_mb=[memory0, memory], machine_load=round(os.getloadavg()[0], 1))
    replica.stop()
    bench.api.delete(f"/api/v1/namespaces/{ns}")
