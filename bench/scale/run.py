#!/usr/bin/env python3
"""How the operator scales, on a real API server with fake nodes: run.py [--scale F] [O1 … O7]

Control plane and fake kubelet are those of tests/faults: etcd without fsync, the data in memory, everything on one
machine beside the operator. Writes JSON lines to stdout, one per measurement, and progress to stderr. --scale 0.1 runs a
tenth of everything, to see that it works. docs/scale.md explains the workloads and holds the figures."""
import argparse
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
sys.dont_write_bytecode = True

from control_plane import ControlPlane, Missing, cluster_program, enter_namespaces, wait_until  # noqa: E402
from oracle import BUILDS, condition  # noqa: E402
from replica import Replica  # noqa: E402
from world import CHAIN  # noqa: E402

STAGES = 5
STAGE_MS = 2000
IDEAL = STAGES * STAGE_MS / 1000  # of the chain: each stage waits for the one before
TWELVE = "FROM base AS root\nRUN 0\n" + "".join(f"FROM base AS m{i}\nCOPY --from=root /x /x\n" for i in range(10)) + "FROM base\n" + "".join(
    f"COPY --from=m{i} /x /x\n" for i in range(10))


def say(text):
    print(text, file=sys.stderr, flush=True)


def percentiles(values):
    """p50, p95, p99 and the largest, in milliseconds."""
    ordered = sorted(values)
    pick = lambda q: round(1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))])
    return {"n": len(ordered), "p50": pick(0.50), "p95": pick(0.95), "p99": pick(0.99), "max": pick(1)} if ordered else {"n": 0}


def seconds(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def process_use(pid):
    """Memory in MB and CPU seconds of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    memory = next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return round(memory / 1024, 1), cpu


class Bench:
    def __init__(self, plane, scale):
        self.plane, self.api, self.scale = plane, plane.api, scale
        self.mark = 0  # bytes of the audit log before the present workload
        plane.rules({"Role": "stage", "Run": STAGE_MS, "Exit": 300}, {"Role": "prepare", "Run": 200, "Exit": 300}, {"Role": "publish", "Run": 200, "Exit": 300})

    def count(self, n):
        return max(1, int(n * self.scale))

    def namespace(self, name):
        self.plane.namespace(name)
        return name

    def operator(self, name, **options):
        options.setdefault("direct", True)
        replica = Replica(self.plane, name, **options)
        started = time.monotonic()
        replica.start()
        self.ready_after = time.monotonic() - started
        return replica

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

    def create(self, ns, name, dockerfile=CHAIN):
        self.api.create(f"{BUILDS}/namespaces/{ns}/imagebuilds", {
            "apiVersion": "build.stagewright.dev/v1alpha1", "kind": "ImageBuild", "metadata": {"name": name},
            "spec": {"dockerfileInline": dockerfile, "output": {"image": f"registry.invalid/{ns}/app:1"}}})

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
        path, token, out = f"{BUILDS}/namespaces/{ns}/imagebuilds" if ns else f"{BUILDS}/imagebuilds", "", []
        while True:
            page = self.api.get(f"{path}?limit=500&continue={token}")
            out += [(b["metadata"], b.get("status", {})) for b in page["items"]]
            token = page["metadata"].get("continue", "")
            if not token:
                return out

    def all_done(self, ns, total, patience):
        def done():
            finished = sum(1 for _, s in self.statuses(ns) if condition(s, "Finished")["status"] == "True")
            say(f"  {finished}/{total} finished")
            return finished >= total
        wait_until(f"{total} builds", patience, done, 2)

    # ---- what the audit log says ----

    def first_pods(self, prefix=""):
        """Seconds from the creation of a build to the arrival of its first pod's POST."""
        born, first = {}, {}
        for e in self.requests():
            ref = e.get("objectRef", {})
            ns = ref.get("namespace", "")
            if e["verb"] != "create" or not ns.startswith(prefix) or e["responseStatus"]["code"] >= 300:
                continue
            if ref["resource"] == "imagebuilds":
                born[(ns, ref.get("name"))] = seconds(e["stageTimestamp"])
            elif ref["resource"] == "pods" and "-prepare-" in ref.get("name", ""):
                build = ref["name"].rsplit("-", 3)[0]
                first.setdefault((ns, build), seconds(e["requestReceivedTimestamp"]))
        return [first[key] - born[key] for key in first if key in born]

    def calls(self, builds):
        """Requests of the operator per build, by verb and resource; events apart."""
        counts = collections.Counter()
        for e in self.requests():
            if not e["user"]["username"].startswith("system:serviceaccount"):
                continue
            ref = e["objectRef"]
            what = f"{e['verb']} {ref['resource']}" + (f"/{ref['subresource']}" if ref.get("subresource") else "")
            counts[what] += 1
            counts["429"] += e["responseStatus"]["code"] == 429
        per = {k: round(v / builds, 2) for k, v in sorted(counts.items())}
        writes = sum(v for k, v in per.items() if k.split()[0] in ("create", "patch", "update") and "events" not in k and "leases" not in k)
        return {"writes_per_build": round(writes, 2), "calls_per_build": per}

    def overheads(self, ns):
        """Seconds of a build beyond what its stages work."""
        out = []
        for meta, status in self.statuses(ns):
            ready = condition(status, "Ready")
            if ready["status"] == "True":
                out.append(seconds(ready["lastTransitionTime"]) - seconds(meta["creationTimestamp"]) - IDEAL)
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


def measure(bench, workload, ns, total, rate, dockerfile=CHAIN, patience=900):
    """Builds `total` and reports everything that the audit log and the process say."""
    bench.namespace(ns)
    replica = bench.operator(ns)
    memory0, cpu0 = process_use(replica.process.pid)
    bench.begin()
    started = time.monotonic()
    bench.create_at(rate, total, lambda i: bench.create(ns, f"b{i:05}", dockerfile))
    created = time.monotonic() - started
    bench.all_done(ns, total, patience)
    took = time.monotonic() - started
    memory, cpu = process_use(replica.process.pid)
    over = bench.overheads(ns) if dockerfile == CHAIN else []
    report(workload, builds=total, rate=rate, creating_s=round(created, 1), all_done_s=round(took, 1), builds_per_minute=round(60 * total / took, 1),
           first_pod_ms=percentiles(bench.first_pods(ns)), overhead_ms=percentiles(over), **bench.calls(total),
           cpu_s_per_build=round((cpu - cpu0) / total, 4), memory_mb=[memory0, memory])
    replica.stop()
    bench.api.delete(f"/api/v1/namespaces/{ns}")


def o1_burst(bench):
    for n in (100, 1000):
        measure(bench, "O1 burst", f"o1-{n}", bench.count(n), 0)


def o2_steady(bench):
    measure(bench, "O2 steady 20/s for 15 s", "o2-fast", bench.count(300), 20)
    measure(bench, "O2 steady 5/s for 60 s", "o2", bench.count(300), 5)


def o3_diamond(bench):
    measure(bench, "O3 diamond of 12", "o3", bench.count(50), 5, TWELVE)


def o4_restart(bench):
    """Memory at 0, 10 000 and 20 000 finished builds, and a restart with each."""
    total, ns = bench.count(10_000), bench.namespace("o4")
    replica = bench.operator("o4-seed")
    make, memories = bench.seed(ns, total), []
    replica.stop()
    for step in range(3):
        if step > 0:
            bench.create_at(0, total, lambda i, step=step: make((step - 1) * total + i))
        bench.begin()
        started = time.monotonic()
        replica = bench.operator(f"o4-{step}")
        wait_until("the queue to be worked off", 120, lambda: replica.metric("workqueue_depth") == 0 and replica.metric("workqueue_unfinished_work_seconds") == 0, 0.2)
        quiet = time.monotonic() - started
        time.sleep(5)
        memory, cpu = process_use(replica.process.pid)
        memories.append(memory)
        writes = sum(1 for e in bench.requests() if e["verb"] in ("create", "patch", "update", "delete") and e["user"]["username"].startswith("system:serviceaccount"))
        report("O4 restart", finished=step * total, ready_s=round(bench.ready_after, 2), queue_empty_s=round(quiet, 2), writes=writes, memory_mb=memory, cpu_s=round(cpu, 2))
        if step > 0:
            bench.begin()
            bench.create_at(5, 20, lambda i, step=step: bench.create(ns, f"new{step}{i:03}"))
            wait_until("the new builds' pods", 60, lambda: len(bench.first_pods(ns)) >= 20, 1)
            report("O4 new builds beside finished ones", finished=step * total, first_pod_ms=percentiles(bench.first_pods(ns)))
            bench.all_done(ns, step * (total + 20) + 1, 120)
            time.sleep(5)  # their pods go
        replica.stop()
    report("O4 memory", mb_per_10000=round((memories[2] - memories[1]) * 10_000 / total, 1), mb=memories)
    bench.api.delete(f"/api/v1/namespaces/{ns}")


def o5_failover(bench):
    """SIGKILL of the leader with builds in flight; the standby is warm."""
    gaps = []
    ns = bench.namespace("o5")
    leader = bench.operator("o5-0", leader_election=True)
    for turn in range(1, 4):
        wait_until("a leader", 40, leader.is_leader)
        standby = bench.operator(f"o5-{turn}", leader_election=True)
        for i in range(bench.count(20)):
            bench.create(ns, f"t{turn}-{i:03}")
        time.sleep(3)
        leader.stop(9)
        bench.begin()
        died = time.time()
        bench.create(ns, f"late{turn}")
        first = wait_until("the first pod by the next leader", 60, lambda: next(
            (e for e in bench.requests() if e["verb"] == "create" and e["objectRef"]["resource"] == "pods" and e["user"]["username"].startswith("system:serviceaccount")), None), 0.2)
        gaps.append(round(seconds(first["requestReceivedTimestamp"]) - died, 1))
        leader = standby
    bench.all_done(ns, 3 * (bench.count(20) + 1), 300)
    report("O5 failover", gaps_s=gaps)
    leader.stop()


def o6_disruptions(bench):
    """A tenth of the builds loses a stage to node pressure, another tenth its publish pod."""
    total = bench.count(200)
    rules = [{"Build": f"b{i:05}", "Role": "stage", "Stage": "2", "Attempt": 1, "Outcome": "evict", "Exit": 300} for i in range(0, total, 10)]
    rules += [{"Build": f"b{i:05}", "Role": "publish", "Attempt": 1, "Outcome": "evict", "Run": 200, "Exit": 300} for i in range(5, total, 10)]
    bench.plane.rules(*rules, {"Role": "stage", "Run": STAGE_MS, "Exit": 300})
    measure(bench, "O6 10 % disruptions", "o6", total, 10)


def o7_neighbour(bench):
    """The small teams' time to first pod, alone and beside one team with 10 000 builds in the queue."""
    small, noise = 20, bench.count(10_000)
    for noisy in (False, True):
        tag = "noisy" if noisy else "quiet"
        teams = [bench.namespace(f"o7-{tag}-{i:02}") for i in range(small)]
        big = bench.namespace(f"o7big-{tag}")
        replica = bench.operator(f"o7-{tag}", flags=("--max-running-builds-per-namespace", "10"))
        if noisy:
            bench.create_at(0, noise, lambda i: bench.create(big, f"n{i:05}", "FROM base\nRUN 1\n"))
            wait_until("the crowd to stand in the queue", 300, lambda: replica.metric("workqueue_depth") < 5, 0.5)
        bench.begin()
        bench.create_at(5, small * 10, lambda i: bench.create(teams[i % small], f"b{i:03}", "FROM base\nRUN 1\n"))
        wait_until("the small teams' pods", 300, lambda: len(bench.first_pods(f"o7-{tag}")) >= small * 10, 1)
        report("O7 noisy neighbour", queued=noise if noisy else 0, first_pod_ms=percentiles(bench.first_pods(f"o7-{tag}")))
        replica.stop(9)
        for ns in [*teams, big]:
            bench.api.delete(f"/api/v1/namespaces/{ns}")


WORKLOADS = {"O1": o1_burst, "O2": o2_steady, "O3": o3_diamond, "O4": o4_restart, "O5": o5_failover, "O6": o6_disruptions, "O7": o7_neighbour}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), metavar="O1 … O7")
    options = parser.parse_args()
    try:
        cluster_program("hyperkube")
        os.environ.setdefault("STAGEWRIGHT_OPERATOR", str(ROOT / "build/release/bin/stagewright-operator"))
        enter_namespaces()
        for name in options.workloads:
            with ControlPlane(nodes=10) as plane:
                say(f"{name}: {WORKLOADS[name].__doc__ or ''}")
                WORKLOADS[name](Bench(plane, options.scale))
    except Missing as what:
        sys.exit(f"missing: {what}")


if __name__ == "__main__":
    main()
