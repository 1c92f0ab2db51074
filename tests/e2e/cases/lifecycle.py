"""Runs and what is left of them: edits in flight, history, retention, logs, the commands for people."""
import json
import os
import pathlib
import shutil
import subprocess
import time

import harness
from harness import BUSYBOX, Namespace, condition, get, items, kubectl, wait_until
from registry import from_here

ROOT = pathlib.Path(__file__).resolve().parents[3]


def stagewright(ns, *args, timeout=180):
    """The command line, with its exit code."""
    places = [os.environ.get("STAGEWRIGHT_CLI"), str(ROOT / "build/release/bin/stagewright"),
              str(ROOT / "build/dev/bin/stagewright"), shutil.which("stagewright")]
    binary = next((p for p in places if p and os.access(p, os.X_OK)), None)
    if binary is None:
        raise harness.Skip("no stagewright binary; STAGEWRIGHT_CLI names one")
    registry = ["--registry", from_here(harness.PUSH_REGISTRY)] if args[0] == "logs" else []
    # Without the user's docker credentials: the Secret of the build must do.
    return subprocess.run([binary, args[0], "-n", ns.name, *registry, *args[1:]], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, "DOCKER_CONFIG": "/nonexistent"})


def running_stage(ns, name):
    return wait_until("a running stage", 90, lambda: (lambda s: s["run"]["id"] if any(
        x.get("state") == "Running" for x in s.get("stages", [])) else None)(ns.status(name)))


def test_finish_first_ends_the_run_and_then_builds_the_edit():
    with Namespace("finish") as ns:
        inline = lambda text: ns.inline("shop", f"FROM {BUSYBOX}\nRUN sleep 6; echo {text} > /a\n",
                                        onInputChange="FinishFirst")
        inline("one")
        first = running_stage(ns, "shop")
        inline("two")
        seen = wait_until("the edit to be seen", 30, lambda: (lambda s: s if s.get("observedGeneration") == get(
            "imgb", "shop", ns.name)["metadata"]["generation"] else None)(ns.status("shop")))
        assert seen["run"]["id"] == first, "the run goes on"
        assert condition(seen, "Ready")["status"] == "Unknown"
        done = wait_until("the second run's end", 120, lambda: (lambda s: s if condition(s, "Ready")[
            "status"] == "True" else None)(ns.status("shop")))
        assert done["run"]["sequence"] == 2 and done["run"]["trigger"] == "SpecChanged", done["run"]
        assert [h["result"] for h in done["history"]] == ["Succeeded", "Succeeded"], done["history"]
        assert done["history"][1]["runID"] == first
        assert done["history"][0]["digest"] != done["history"][1]["digest"]


def test_edit_in_flight_cancels():
    with Namespace("inflight") as ns:
        ns.inline("shop", f"FROM {BUSYBOX}\nRUN sleep 300\n")
        first = running_stage(ns, "shop")
        ns.inline("shop", f"FROM {BUSYBOX}\nRUN echo two > /a\n")
        done = ns.succeeded("shop")
        assert [(h["result"], h["runID"] == first) for h in done["history"]] == [("Succeeded", False), ("Cancelled", True)]


def test_history_is_bounded():
    with Namespace("history") as ns:
        ns.inline("shop", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n", retention={"history": 1})
        ns.succeeded("shop")
        assert stagewright(ns, "wait", "shop", "--rebuild").returncode == 0
        status = ns.status("shop")
        assert status["run"]["sequence"] == 2 and len(status["history"]) == 1, status
        assert status["history"][0]["runID"] == status["run"]["id"]


def test_retention_of_pods_and_workspace():
    with Namespace("retention") as ns:
        ns.inline("shop", f"FROM {BUSYBOX}\nRUN false\n", retention={"podTTL": "20s", "workspace": "8s"})
        ns.failed("shop", "StageFailed")
        assert items("pods", ns.name), "pods of a failed run are kept"
        assert items("pvc", ns.name), "its workspace too, for its time"
        wait_until("the workspace to go", 40, lambda: not items("pvc", ns.name))
        wait_until("the pods to go", 40, lambda: not items("pods", ns.name))
        assert ns.status("shop")["failure"]["reason"] == "StageFailed"


def test_ttl_deletes_the_build_but_not_what_gitops_tracks():
    with Namespace("ttl") as ns:
        tracked = harness.image_build("tracked", ns.name, dockerfileInline=f"FROM {BUSYBOX}\nRUN echo 1 > /a\n",
                                      retention={"ttlAfterFinished": "3s"})
        tracked["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "apps"}
        ns.apply(tracked)
        ns.inline("mine", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n", retention={"ttlAfterFinished": "3s"})
        ns.succeeded("tracked")
        wait_until("the untracked build to go", 90, lambda: get("imgb", "mine", ns.name) is None)
        event = wait_until("the Event", 20, lambda: next((e for e in items("events", ns.name)
                                                          if e["reason"] == "TTLIgnored"), None))
        assert "Flux Kustomization" in event["message"], event
        # Longer than its time: only waiting can show that nothing happens.
        time.sleep(5)
        assert get("imgb", "tracked", ns.name) is not None


def test_stage_timeout_and_network():
    with Namespace("limits") as ns:
        ns.inline("slow", f"FROM {BUSYBOX} AS a\nRUN sleep 300\n",
                  execution={"stages": [{"stage": "a", "timeout": "3s"}]})
        ns.inline("cut", f"FROM {BUSYBOX}\nRUN if wget -T 3 -q -O- http://{harness.BASE_REGISTRY}/v2/; then exit 3; fi; echo ok\n",
                  execution={"network": "None"})
        failure = ns.failed("slow", "StageTimeout")
        assert failure["class"] == "User" and "3s" in failure["message"], failure
        ns.succeeded("cut")


def test_max_parallel_stages():
    with Namespace("parallel") as ns:
        stages = "".join(f"FROM {BUSYBOX} AS s{i}\nRUN sleep 2; echo {i} > /f\n" for i in range(3))
        ns.inline("shop", stages + "FROM scratch\n" + "".join(f"COPY --from=s{i} /f /f{i}\n" for i in range(3)),
                  execution={"maxParallelStages": 1})
        most = 0
        deadline = time.monotonic() + 180
        while condition(ns.status("shop"), "Finished")["status"] != "True" and time.monotonic() < deadline:
            active = [p for p in harness.stage_pods(ns.name, "shop") if p["status"]["phase"] in ("Pending", "Running")
                      and not p["metadata"].get("deletionTimestamp")]
            most = max(most, len(active))
            time.sleep(0.2)
        ns.succeeded("shop", 10)
        assert most == 1, f"{most} stages had pods at the same time"


def test_logs_outlive_their_pods():
    with Namespace("logs") as ns:
        ns.inline("shop", f"FROM {BUSYBOX} AS deps\nRUN echo from-deps; echo 1 > /a\n"
                          f"FROM {BUSYBOX}\nCOPY --from=deps /a /a\nRUN echo from-last\n")
        first = ns.succeeded("shop")["run"]["id"]
        wait_until("pods to be gone", 90, lambda: not items("pods", ns.name))
        logs = stagewright(ns, "logs", "shop")
        assert logs.returncode == 0, logs.stderr
        assert "[deps] from-deps" in logs.stdout and "from-last" in logs.stdout, logs.stdout
        assert "##stagewright" not in logs.stdout
        one = stagewright(ns, "logs", "shop", "--stage", "deps")
        assert "from-deps" in one.stdout.splitlines() and "from-last" not in one.stdout, one.stdout
        ns.inline("shop", f"FROM {BUSYBOX} AS deps\nRUN echo again; exit 3\n")
        failed = ns.failed("shop", "StageFailed")
        assert failed["class"] == "User" and failed["exitCode"] == 3 and failed["line"] == 2, failed
        assert failed["logTail"].splitlines()[-1] == "again", failed
        assert "line 2, RUN echo again; exit 3" in failed["message"], failed
        assert failed["logCommand"] == "stagewright logs shop --failed", failed
        bad = stagewright(ns, "logs", "shop", "--failed")
        assert bad.returncode == 0 and "again" in bad.stdout, (bad.stdout, bad.stderr)
        old = stagewright(ns, "logs", "shop", "--run", first)
        assert old.returncode == 0 and "from-deps" in old.stdout, (old.stdout, old.stderr)


def test_logs_of_a_failed_run_outlive_its_pods():
    with Namespace("logsfail") as ns:
        ns.inline("shop", f"FROM {BUSYBOX} AS a\nRUN echo the-cause; sleep 2; exit 3\n", retention={"pods": "Never"})
        ns.failed("shop", "StageFailed")
        wait_until("pods to be gone", 90, lambda: not items("pods", ns.name))
        logs = stagewright(ns, "logs", "shop", "--failed")
        assert logs.returncode == 0 and "the-cause" in logs.stdout, (logs.stdout, logs.stderr)


def test_logs_follow():
    with Namespace("follow") as ns:
        ns.inline("shop", f"FROM {BUSYBOX} AS a\nRUN for i in 1 2 3 4; do echo tick $i; sleep 1; done\n")
        wait_until("a run", 30, lambda: ns.status("shop").get("run"))
        logs = stagewright(ns, "logs", "shop", "-f")
        assert logs.returncode == 0, logs.stderr
        assert [line for line in logs.stdout.splitlines() if line.startswith("[a] tick")] == [f"[a] tick {i}" for i in range(1, 5)], logs.stdout


def test_wait_tells_who_can_help():
    with Namespace("wait") as ns:
        ns.inline("good", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n")
        ns.inline("bad", f"FROM {BUSYBOX}\nRUN echo why; exit 3\n")
        ns.inline("long", f"FROM {BUSYBOX}\nRUN sleep 300\n")
        good = stagewright(ns, "wait", "good")
        assert good.returncode == 0 and "@sha256:" in good.stdout, good
        bad = stagewright(ns, "wait", "bad")
        assert bad.returncode == 1 and "StageFailed" in bad.stderr and "why" in bad.stderr, bad
        late = stagewright(ns, "wait", "long", "--timeout", "2s")
        assert late.returncode == 124, late
        run = running_stage(ns, "long")
        assert run in stagewright(ns, "cancel", "long").stdout
        assert stagewright(ns, "wait", "long").returncode == 3
        assert stagewright(ns, "wait", "nosuch").returncode == 125
        first = ns.status("good")["run"]["id"]
        again = stagewright(ns, "wait", "good", "--rebuild")
        assert again.returncode == 0 and ns.status("good")["run"]["id"] != first, again
