"""The operator's habits, and what it survives."""
import json
import os
import random
import signal
import subprocess

import harness
from harness import BUSYBOX, PUSH_REGISTRY, SYSTEM_NAMESPACE, Namespace, condition, items, kubectl, wait_until

BUILD_LABEL = f"{harness.GROUP}/build"


def test_kubectl_habits():
    with Namespace("habits") as ns:
        ns.inline("shop", f"FROM {BUSYBOX} AS a\nRUN echo 1 > /a\nFROM scratch\nCOPY --from=a /a /\n")
        kubectl("wait", "imgb/shop", "-n", ns.name, "--for=condition=Ready", "--timeout=120s", timeout=130)
        kubectl("wait", "imgb/shop", "-n", ns.name, "--for=condition=Succeeded", "--timeout=10s")
        explain = kubectl("explain", "imagebuild.spec").stdout
        for field in ("source", "output", "dockerfileInline", "workspace", "execution"):
            assert field in explain, explain
        wide = kubectl("get", "imgb", "-n", ns.name, "-o", "wide").stdout
        for column in ("READY", "REASON", "PROGRESS", "IMAGE", "AGE", "PHASE", "DIGEST"):
            assert column in wide.splitlines()[0], wide
        assert "Succeeded" in wide and "sha256:" in wide, wide
        reasons = wait_until("the Events", 20, lambda: (lambda r: r if {"RunStarted", "Succeeded"} <= r else None)(
            {e["reason"] for e in items("events", ns.name) if e["involvedObject"]["kind"] == "ImageBuild"}))
        assert {"StageStarted", "Pushed"} <= reasons, reasons
        assert "RunStarted" in kubectl("describe", "imgb", "shop", "-n", ns.name).stdout
        # Applying the same again does nothing.
        before = ns.status("shop")
        ns.inline("shop", f"FROM {BUSYBOX} AS a\nRUN echo 1 > /a\nFROM scratch\nCOPY --from=a /a /\n")
        assert ns.status("shop")["run"]["id"] == before["run"]["id"]


def test_rebuild_annotation_and_edit():
    with Namespace("again") as ns:
        ns.inline("again", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n")
        first = ns.succeeded("again")
        kubectl("annotate", "imgb", "again", "-n", ns.name, f"{harness.GROUP}/rebuild=2")
        second = wait_until("the rebuild", 120, lambda: (lambda s: s if s.get("lastHandledRebuild") == "2" and condition(
            s, "Finished")["status"] == "True" and s["run"]["id"] != first["run"]["id"] else None)(ns.status("again")))
        assert second["run"]["sequence"] == first["run"]["sequence"] + 1
        ns.inline("again", f"FROM {BUSYBOX}\nRUN echo 2 > /a\n")
        third = wait_until("the edited build", 120, lambda: (lambda s: s if s["run"]["sequence"] == 3 and condition(
            s, "Finished")["status"] == "True" else None)(ns.status("again")))
        assert condition(third, "Ready")["status"] == "True" and third["image"]["digest"] != second["image"]["digest"]


def test_suspend_starts_nothing():
    with Namespace("suspend") as ns:
        ns.inline("idle", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n", suspend=True)
        wait_until("the suspension to show", 30, lambda: ns.status("idle").get("phase") == "Suspended")
        assert not items("pods", ns.name)
        kubectl("patch", "imgb", "idle", "-n", ns.name, "--type=merge", "-p", '{"spec":{"suspend":false}}')
        ns.succeeded("idle")


def test_stages_have_nodes_and_resources_of_their_own():
    node = items("nodes", "default")[0]["metadata"]["name"]
    dockerfile = f"FROM {BUSYBOX} AS small\nRUN echo 1 > /a\nFROM {BUSYBOX} AS large\nCOPY --from=small /a /\n"
    with Namespace("nodes") as ns:
        ns.inline("placed", dockerfile, retention={"pods": "Always"}, execution={"stages": [
            {"stage": "large", "nodeSelector": {"kubernetes.io/hostname": node}, "resources": {"requests": {"cpu": "30m"}, "limits": {"memory": "300Mi"}}}]})
        ns.succeeded("placed")
        pods = {p["metadata"]["labels"].get(f"{harness.GROUP}/stage"): p for p in items("pods", ns.name)}
        large, small = (pods[i]["spec"]["containers"][0]["resources"] for i in ("1", "0"))
        assert large["requests"]["cpu"] == "30m" and large["limits"]["memory"] == "300Mi" and large != small, (large, small)
        assert pods["1"]["spec"]["nodeName"] == node, pods["1"]["spec"]
        # A place that does not exist is waited for, and said.
        ns.inline("nowhere", dockerfile, execution={"stages": [{"stage": "large", "nodeSelector": {"disk": "of-gold"}}]})
        ready = wait_until("the word that no node fits", 90, lambda: (lambda c: c if c and c["reason"] == "Unschedulable" else None)(
            condition(ns.status("nowhere"), "Ready")))
        assert ready["status"] == "Unknown" and "no node takes" in ready["message"], ready


def test_cancel():
    with Namespace("cancel") as ns:
        ns.inline("long", f"FROM {BUSYBOX}\nRUN sleep 300\n")
        run = wait_until("a running stage", 60, lambda: any(
            s.get("state") == "Running" for s in ns.status("long").get("stages", [])) and ns.status("long")["run"]["id"])
        kubectl("annotate", "imgb", "long", "-n", ns.name, f"{harness.GROUP}/cancel={run}")
        status = ns.finished("long", 60)
        for kind in ("Ready", "Finished"):
            assert condition(status, kind)["reason"] == "Cancelled", status["conditions"]
        assert condition(status, "Ready")["status"] == "False"
        wait_until("the pods to stop", 60, lambda: all(
            p["status"]["phase"] in ("Succeeded", "Failed") for p in items("pods", ns.name)))


def test_delete_in_mid_build():
    with Namespace("delete") as ns:
        ns.inline("gone", f"FROM {BUSYBOX}\nRUN sleep 300\n")
        wait_until("a running stage", 60, lambda: any(
            s.get("state") == "Running" for s in ns.status("gone").get("stages", [])))
        kubectl("delete", "imgb", "gone", "-n", ns.name, "--timeout=30s")
        wait_until("pods and claim to be gone", 90, lambda: not items("pods", ns.name) and not items("pvc", ns.name))


def test_nothing_is_left_after_success():
    with Namespace("tidy") as ns:
        ns.inline("tidy", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n")
        ns.succeeded("tidy")
        wait_until("pods and claim to be gone", 60, lambda: not items("pods", ns.name) and not items("pvc", ns.name))


def operator_pids():
    out = subprocess.run(["pgrep", "-f", "^/?[^ ]*stagewright-operator( |$)"], capture_output=True, text=True).stdout
    return [int(pid) for pid in out.split()]


def kill_operator():
    """SIGKILL, and then a new pod: the kubelet would wait longer before each restart, up to five minutes."""
    for pid in operator_pids():
        os.kill(pid, signal.SIGKILL)
    kubectl("delete", "pod", "-n", SYSTEM_NAMESPACE, "-l", "app.kubernetes.io/name=stagewright", "--force",
            "--grace-period=0", check=False)


def test_operator_killed_at_random_moments():
    if not operator_pids():
        raise harness.Skip("the operator's process is not on this machine")
    seed = int(os.environ.get("STAGEWRIGHT_E2E_SEED", random.randrange(1 << 30)))
    print(f"seed {seed} (STAGEWRIGHT_E2E_SEED)")
    chance = random.Random(seed)
    with Namespace("kill") as ns:
        watch = subprocess.Popen(["kubectl", "get", "pods", "-n", ns.name, "-w", "-o",
                                  "jsonpath={.metadata.name} {.metadata.uid}{'\\n'}"], stdout=subprocess.PIPE, text=True)
        try:
            for i in range(10):
                ns.inline(f"b{i}", f"FROM {BUSYBOX} AS a\nRUN sleep 1; echo {i} > /a\nFROM scratch\nCOPY --from=a /a /\n",
                          retention={"pods": "Always"})
            kills = 0
            done = lambda: all(condition(b.get("status", {}), "Finished")["status"] == "True" for b in items("imgb", ns.name))
            import time
            deadline = time.monotonic() + 420
            while not done():
                assert time.monotonic() < deadline, "ten builds did not end"
                # The moment of the kill is the experiment; there is no state to wait for.
                time.sleep(chance.uniform(0.3, 4))
                if kills < 8 and operator_pids():
                    kill_operator()
                    kills += 1
            for i in range(10):
                ns.succeeded(f"b{i}", 30)
        finally:
            watch.terminate()
        uids = {}
        for line in watch.stdout.read().splitlines():
            name, uid = line.split()
            uids.setdefault(name, set()).add(uid)
        twice = {n: u for n, u in uids.items() if len(u) > 1}
        assert not twice, f"pods made twice: {twice}"
        assert kills > 0
        for pod in items("pods", ns.name):
            labels = pod["metadata"]["labels"]
            run = ns.status(labels[BUILD_LABEL])["run"]["id"]
            assert labels[f"{harness.GROUP}/run"] == run, f"orphan {pod['metadata']['name']}"
    kubectl("rollout", "status", "deployment", "-n", SYSTEM_NAMESPACE, "--timeout=180s", timeout=200)


def test_registry_down_for_thirty_seconds():
    pid_file = os.environ.get("STAGEWRIGHT_REGISTRY_PID_FILE", "/run/stagewright-cluster/pids/registry-auth")
    if not os.path.exists(pid_file):
        raise harness.Skip(f"no pid file of the registry to stop at {pid_file}")
    pid = int(open(pid_file).read().split()[0])
    import time
    with Namespace("outage") as ns:
        ns.inline("waits", f"FROM {BUSYBOX}\nRUN sleep 4; echo 1 > /a\n")
        wait_until("a running stage", 60, lambda: any(
            s.get("state") == "Running" for s in ns.status("waits").get("stages", [])))
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(30)  # the outage itself
        finally:
            os.kill(pid, signal.SIGCONT)
        ns.succeeded("waits", 240)


def test_json_of_every_status_is_small():
    """Statuses stay far below etcd's limit whatever a build prints."""
    with Namespace("small") as ns:
        ns.inline("loud", f"FROM {BUSYBOX}\nRUN yes 'a very long line of output that repeats for ever' | head -n 20000; exit 1\n")
        ns.failed("loud", "StageFailed")
        assert len(json.dumps(ns.status("loud"))) < 32_000
        assert len(ns.status("loud")["failure"]["logTail"]) <= 2048


def test_without_image_volumes():
    """Where the cluster serves no volumes of type image an init container installs the executor."""
    (deployment,) = items("deployments", SYSTEM_NAMESPACE)
    target = ("deployment", deployment["metadata"]["name"], "-n", SYSTEM_NAMESPACE)
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    index = next(i for i, a in enumerate(arguments) if a.startswith("--image-volumes="))

    def deploy(argument):
        kubectl("patch", *target, "--type=json", "-p", json.dumps(
            [{"op": "replace", "path": f"/spec/template/spec/containers/0/args/{index}", "value": argument}]))
        kubectl("rollout", "status", *target, "--timeout=90s")

    deploy("--image-volumes=off")
    try:
        with Namespace("installer") as ns:
            ns.inline("copied", f"FROM {BUSYBOX} AS a\nRUN echo 1 > /a\nFROM scratch\nCOPY --from=a /a /\n",
                      retention={"pods": "Always"})
            ns.succeeded("copied")
            stages = items("pods", ns.name, f"{harness.GROUP}/role=stage")
            assert len(stages) == 2, [p["metadata"]["name"] for p in stages]
            for pod in stages:
                assert [c["args"][0] for c in pod["spec"]["initContainers"]] == ["install-executor"], pod["spec"]
                assert not any("image" in v for v in pod["spec"]["volumes"]), pod["spec"]["volumes"]
    finally:
        deploy(arguments[index])
