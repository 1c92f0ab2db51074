"""A cache of layers in a registry: equal steps do not run again, different ones do."""
import json

import harness
from harness import BUSYBOX, PUSH_REGISTRY, Namespace, kubectl, stage_pods
from registry import Image

FILES = {"Dockerfile": f"""FROM {BUSYBOX} AS builder
RUN cat /proc/sys/kernel/random/uuid > /made
COPY src /src
RUN cat /made /src > /out; cat /proc/sys/kernel/random/uuid >> /out
FROM {BUSYBOX}
RUN cat /proc/sys/kernel/random/uuid > /tools
COPY --from=builder /out /out
COPY readme /readme
""", "src": "one\n", "readme": "r1\n"}


def build(ns, name, repository=None, **spec):
    ns.build(name, source={"configMap": {"name": "ctx"}}, imagePullSecrets=[{"name": "push"}],
             output={"image": f"{PUSH_REGISTRY}/{ns.name}/{name}:1", "secretRef": {"name": "push"}},
             cache={"mode": "Registry", "repository": repository or f"{PUSH_REGISTRY}/{ns.name}/cache"},
             retention={"pods": "Always"}, **spec)
    return ns.succeeded(name), Image(f"{PUSH_REGISTRY}/{ns.name}/{name}:1")


def cached(status):
    return {s["name"]: (s.get("cachedSteps", 0), s["steps"]) for s in status["stages"]}


def test_equal_steps_do_not_run_again():
    with Namespace("cache") as ns:
        ns.config_map("ctx", FILES)
        status, first = build(ns, "first")
        assert cached(status) == {"builder": (0, 3), "1": (0, 3)}, status["stages"]
        assert len(stage_pods(ns.name, "first")) == 2
        # Another build with the same inputs: no stage pod at all, the same layers.
        status, second = build(ns, "second")
        assert cached(status) == {"builder": (3, 3), "1": (3, 3)}, status["stages"]
        assert stage_pods(ns.name, "second") == [], "nothing had to run"
        assert second.manifest["layers"] == first.manifest["layers"]
        assert ns.run_pod("run", f"{PUSH_REGISTRY}/{ns.name}/second@{second.digest}", ["cat", "/readme"]) == "r1\n"
        # The last file changed: the target lays down two layers and runs one step; the builder is not needed.
        ns.config_map("ctx", {**FILES, "readme": "r2\n"})
        status, third = build(ns, "third")
        assert cached(status) == {"builder": (3, 3), "1": (2, 3)}, status["stages"]
        assert [p["metadata"]["labels"][f"{harness.GROUP}/stage"] for p in stage_pods(ns.name, "third")] == ["1"]
        assert third.manifest["layers"][:-1] == first.manifest["layers"][:-1]
        tree, before = third.tree(), first.tree()
        assert tree["readme"][1] == b"r2\n"
        for path in ("out", "tools"):
            assert tree[path][1] == before[path][1], path
        # A file of the builder changed: its first step is laid down, the rest runs, and so does what copies from it.
        ns.config_map("ctx", {**FILES, "src": "two\n"})
        status, fourth = build(ns, "fourth")
        assert cached(status) == {"builder": (1, 3), "1": (1, 3)}, status["stages"]
        tree = fourth.tree()
        assert tree["tools"][1] == before["tools"][1] and tree["out"][1] != before["out"][1]
        made = before["out"][1].split(b"\n")
        assert tree["out"][1].split(b"\n")[:2] == [made[0], b"two"], tree["out"]


def test_refresh_and_rebuild_without_the_cache():
    with Namespace("nocache") as ns:
        ns.config_map("ctx", FILES)
        status, first = build(ns, "app")
        tools = first.read("/tools")
        kubectl("annotate", "imgb", "app", "-n", ns.name, f"{harness.GROUP}/rebuild=1")
        harness.wait_until("the second run", 30, lambda: ns.status("app")["run"]["sequence"] == 2)
        status = ns.succeeded("app")
        assert cached(status) == {"builder": (3, 3), "1": (3, 3)}, status["stages"]
        assert Image(f"{PUSH_REGISTRY}/{ns.name}/app:1").read("/tools") == tools
        kubectl("annotate", "imgb", "app", "-n", ns.name, f"{harness.GROUP}/rebuild-no-cache=1")
        harness.wait_until("the third run", 30, lambda: ns.status("app")["run"]["sequence"] == 3)
        status = ns.succeeded("app")
        assert cached(status) == {"builder": (0, 3), "1": (0, 3)} and status["run"]["noCache"], json.dumps(status)
        fresh = Image(f"{PUSH_REGISTRY}/{ns.name}/app:1").read("/tools")
        assert fresh != tools
        # What it wrote is what the next build takes.
        status, after = build(ns, "next")
        assert after.read("/tools") == fresh and cached(status)["1"] == (3, 3), status["stages"]


def test_namespaces_share_no_steps_in_one_repository():
    with Namespace("mine") as mine, Namespace("theirs") as theirs:
        shared = f"{PUSH_REGISTRY}/{mine.name}/shared-cache"
        for ns in (mine, theirs):
            ns.config_map("ctx", FILES)
            status, _ = build(ns, "app", shared)
            assert cached(status) == {"builder": (0, 3), "1": (0, 3)}, f"{ns.name} took another namespace's steps: {status['stages']}"
        status, _ = build(theirs, "again", shared)
        assert cached(status) == {"builder": (3, 3), "1": (3, 3)}, status["stages"]


def test_a_cache_that_cannot_be_had_fails_nothing_and_is_told():
    with Namespace("lost") as ns:
        ns.config_map("ctx", FILES)
        ns.build("app", source={"configMap": {"name": "ctx"}},
                 cache={"mode": "Registry", "repository": f"{PUSH_REGISTRY}/{ns.name}/cache"}, retention={"pods": "Always"})
        status = ns.succeeded("app")
        prepare = kubectl("logs", "-n", ns.name, f"app-{status['run']['id']}-prepare-1").stdout
        assert "cache: cannot read" in prepare and "401" in prepare, prepare
        message = ns.refused(harness.image_build("same", ns.name, dockerfileInline="FROM scratch\n",
                             cache={"mode": "Registry", "repository": f"{PUSH_REGISTRY}/{ns.name}/same"}))
        assert "another repository" in message, message


def test_cache_mounts_on_a_named_claim_outlive_the_run():
    with Namespace("claim") as ns:
        ns.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                  "metadata": {"name": "kept", "labels": {f"{harness.GROUP}/workspace": "yes"}},
                  "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
        dockerfile = (f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c,id=go "
                      "echo run >> /c/log && wc -l < /c/log > /count\n")
        ns.inline("app", dockerfile, workspace={"claimName": "kept"})
        status = ns.succeeded("app")
        first = status["run"]["id"]
        assert Image(f"{PUSH_REGISTRY}/{ns.name}/app:1").read("/count") == b"1\n"
        kubectl("annotate", "imgb", "app", "-n", ns.name, f"{harness.GROUP}/rebuild=1")
        harness.wait_until("the second run", 30, lambda: ns.status("app")["run"]["sequence"] == 2)
        status = ns.succeeded("app")
        tree = Image(f"{PUSH_REGISTRY}/{ns.name}/app:1").tree()
        assert tree["count"][1] == b"2\n" and "c/log" not in tree, tree["count"]
        # Another build on the same claim has caches of its own, and leaves the runs of others alone.
        ns.inline("other", dockerfile, workspace={"claimName": "kept"})
        ns.succeeded("other")
        assert Image(f"{PUSH_REGISTRY}/{ns.name}/other:1").read("/count") == b"1\n"
        ns.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "look"}, "spec": {
            "restartPolicy": "Never", "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "kept"}}],
            "containers": [{"name": "c", "image": BUSYBOX, "command": ["ls", "/v/runs"],
                            "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}})
        harness.wait_until("the pod to end", 60, lambda: (harness.get("pod", "look", ns.name) or {}).get(
            "status", {}).get("phase") == "Succeeded")
        runs = kubectl("logs", "-n", ns.name, "look").stdout.split()
        assert first not in runs and status["run"]["id"] in runs and ns.status("other")["run"]["id"] in runs, (first, runs)
