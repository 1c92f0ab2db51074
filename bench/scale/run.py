#!/usr/bin/env python3
"""How the operator scales, on a real API server with fake nodes: run.py [--scale F] [--peers] [O1 … O7]

Control plane and fake kubelet are those of tests/faults: etcd without fsync, the data in memory, everything on one
machine beside the operator. Writes JSON lines to stdout, one per measurement, and progress to stderr. --scale 0.1 runs a
tenth of everything, to see that it works. --peers gives the same work to other controllers too, one after the other on
a control plane of its own each. docs/scale.md explains the workloads and holds the figures."""
import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True

from measure import EXIT_MS, ROOT, STAGE_MS, Bench, measure, percentiles, process_use, report, say, seconds  # noqa: E402, I001
from control_plane import Missing, cluster_program, enter_namespaces, wait_until  # noqa: E402
import shipwright  # noqa: E402
import tekton  # noqa: E402

TWELVE = "FROM base AS root\nRUN 0\n" + "".join(f"FROM base AS m{i}\nCOPY --from=root /x /x\n" for i in range(10)) + "FROM base\n" + "".join(
    f"COPY --from=m{i} /x /x\n" for i in range(10))


def o1_burst(bench):
    for n in (100, 1000) if bench.CHAINS else ():
        measure(bench, "O1 burst", f"o1-{n}", bench.count(n), 0)
    measure(bench, "O1 burst of single stages", "o1-single", bench.count(1000), 0, **bench.SINGLE)


def o2_steady(bench):
    for rate, duration in ((20, 15), (5, 60)):
        if bench.CHAINS:
            measure(bench, f"O2 steady {rate}/s for {duration} s", f"o2-{rate}", bench.count(300), rate)
        measure(bench, f"O2 single stages at {rate}/s for {duration} s", f"o2-single-{rate}", bench.count(300), rate, **bench.SINGLE)


def o3_diamond(bench):
    measure(bench, "O3 diamond of 12", "o3", bench.count(50), 5, dockerfile=TWELVE)


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
            (e for e in bench.requests() if e["verb"] == "create" and e["objectRef"]["resource"] == "pods" and e["user"]["username"].startswith("system:serviceaccount")
             and seconds(e["requestReceivedTimestamp"]) > died + 1), None), 0.2)  # the dead one's last may still arrive
        gaps.append(round(seconds(first["requestReceivedTimestamp"]) - died, 1))
        leader = standby
    bench.all_done(ns, 3 * (bench.count(20) + 1), 300)
    report("O5 failover", gaps_s=gaps)
    leader.stop()


def o6_disruptions(bench):
    """A tenth of the builds loses a stage to node pressure, another tenth its publish pod."""
    total = bench.count(200)
    rules = [{"Build": f"b{i:05}", "Role": "stage", "Stage": "2", "Attempt": 1, "Outcome": "evict", "Exit": EXIT_MS} for i in range(0, total, 10)]
    rules += [{"Build": f"b{i:05}", "Role": "publish", "Attempt": 1, "Outcome": "evict", "Run": 200, "Exit": EXIT_MS} for i in range(5, total, 10)]
    bench.plane.rules(*rules, {"Role": "stage", "Run": STAGE_MS, "Exit": EXIT_MS})
    measure(bench, "O6 10 % disruptions", "o6", total, 10)


def o7_neighbour(bench):
    """The small teams' time to first pod: alone, beside one team with 10 000 builds in the queue behind ten long ones, and
    beside the same queue behind ten short ones, which make work of their own."""
    small, noise = 20, bench.count(10_000)
    for crowd in ("none", "queue", "queue that moves"):
        tag = crowd.split()[-1]
        teams = [bench.namespace(f"o7-{tag}-{i:02}") for i in range(small)]
        big = bench.namespace(f"o7big-{tag}")
        if crowd == "queue":
            bench.plane.rules({"Namespace": big, "Role": "stage", "Run": 3_600_000}, *bench.TIMES)
        replica = bench.operator(f"o7-{tag}", flags=("--max-running-builds-per-namespace", "10"))
        if crowd != "none":
            bench.create_at(0, noise, lambda i: bench.create(big, f"n{i:05}", "FROM base\nRUN 1\n"))
            wait_until("the crowd to stand in the queue", 600, lambda: replica.metric("workqueue_depth") < 5, 0.5)
            time.sleep(20)  # the control plane comes to rest
        bench.begin()
        bench.create_at(5, small * 10, lambda i: bench.create(teams[i % small], f"b{i:03}", "FROM base\nRUN 1\n"))
        wait_until("the small teams' pods", 300, lambda: len(bench.first_pods(f"o7-{tag}")) >= small * 10, 1)
        report("O7 noisy neighbour", beside=crowd, queued=noise if crowd != "none" else 0, first_pod_ms=percentiles(bench.first_pods(f"o7-{tag}")))
        replica.stop(9)
        bench.set_times()
        for ns in [*teams, big]:
            bench.api.delete(f"/api/v1/namespaces/{ns}")
        wait_until("the namespaces to be gone", 600, lambda: not any(n["metadata"]["name"].startswith("o7") for n in bench.api.get("/api/v1/namespaces")["items"]), 2)


WORKLOADS = {"O1": o1_burst, "O2": o2_steady, "O3": o3_diamond, "O4": o4_restart, "O5": o5_failover, "O6": o6_disruptions, "O7": o7_neighbour}


PEERS_DO = ("O1", "O2")  # the workloads that another controller can be given too


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--peers", action="store_true", help="O1 and O2, of our operator and then of each peer")
    parser.add_argument("workloads", nargs="*", metavar="O1 … O7")
    options = parser.parse_args()
    if options.peers and not set(options.workloads) <= set(PEERS_DO):
        parser.error(f"--peers is for {' and '.join(PEERS_DO)}")
    names = options.workloads or (PEERS_DO if options.peers else WORKLOADS)
    contenders = [(Bench, {})]
    try:
        cluster_program("hyperkube")
        os.environ.setdefault("STAGEWRIGHT_OPERATOR", str(ROOT / "build/release/bin/stagewright-operator"))
        if options.peers:
            contenders += tekton.contenders() + shipwright.contenders()
        enter_namespaces()
        for name in names:
            for kind, settings in contenders:
                with kind.control_plane() as plane:
                    bench = kind(plane, options.scale, **settings)
                    say(f"{name} of {bench.controller}: {WORKLOADS[name].__doc__ or ''}")
                    WORKLOADS[name](bench)
    except Missing as what:
        sys.exit(f"missing: {what}")


if __name__ == "__main__":
    main()
