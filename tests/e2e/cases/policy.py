"""BuildPolicy and the queue: defaults, rules, limits, the brake, and fairness between namespaces."""
import contextlib
import json
import random
import string

import harness
from harness import BASE_REGISTRY, BUSYBOX, PUSH_REGISTRY, SYSTEM_NAMESPACE, Namespace, condition, items, kubectl, wait_until

LABEL = "e2e.stagewright.dev/policy"
INLINE = f"FROM {BUSYBOX}\nRUN echo 1 > /a\n"


class Policy:
    """A BuildPolicy for some namespaces of this case and no others."""

    def __init__(self, *namespaces, **spec):
        self.name = "e2e-" + "".join(random.choices(string.ascii_lowercase, k=8))
        self.spec = spec
        self.spec["allowed"] = {"serviceAccounts": [], **spec.get("allowed", {})}
        for ns in namespaces:
            kubectl("label", "namespace", ns.name, f"{LABEL}={self.name}", "--overwrite")

    def __enter__(self):
        self.apply()
        return self

    def __exit__(self, *_):
        kubectl("delete", "buildpolicy", self.name, "--ignore-not-found")

    def apply(self, **changes):
        self.spec |= changes
        kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": f"{harness.GROUP}/v1alpha1", "kind": "BuildPolicy", "metadata": {"name": self.name},
            "spec": {"namespaceSelector": {"matchLabels": {LABEL: self.name}}, **self.spec}}))


def wait_for_policy(ns, policy):
    """The operator learns of labels and policies by watches of their own. A build that this policy, by its name, refuses
    shows that it has."""
    for attempt in range(20):
        ns.inline(f"probe{attempt}", INLINE, execution={"serviceAccountName": "probe"})
        if ns.failed(f"probe{attempt}", "PolicyViolation", 30).get("policy") == policy.name:
            return
    raise AssertionError(f"policy {policy.name} does not count in {ns.name}")


def run_of(ns, name):
    return ns.status(name).get("run", {})


def test_defaults_change_no_hash_and_start_no_run():
    with Namespace("defaults") as ns, Namespace("plain") as plain:
        registries = [{"host": BASE_REGISTRY, "tls": "PlainHTTP"}, {"host": PUSH_REGISTRY, "tls": "PlainHTTP"}]
        with Policy(ns, defaults={"output": {"secretRef": {"name": "push"}}, "registries": registries, "timeout": "7m", "queue": "team",
                                  "execution": {"resources": {"requests": {"memory": "33Mi"}}}}) as policy:
            bare = {"output": {"image": f"{PUSH_REGISTRY}/{ns.name}/app:1"}, "registries": [], "retention": {"pods": "Always"}}
            wait_for_policy(ns, policy)
            ns.inline("app", INLINE, **bare)
            status = ns.succeeded("app")
            pod = harness.stage_pods(ns.name, "app")[0]["spec"]
            assert pod["containers"][0]["resources"]["requests"]["memory"] == "33Mi", pod
            assert pod["activeDeadlineSeconds"] <= 7 * 60 + 60, pod["activeDeadlineSeconds"]
            assert status["run"]["queue"] == "team", status["run"]
            assert condition(status, "Admitted")["status"] == "True", status["conditions"]
            plain.inline("app", INLINE, suspend=False, **bare)
            other = wait_until("the same build without a policy", 30, lambda: plain.status("app").get("inputHash"))
            assert other == status["inputHash"], (other, status["inputHash"])
            spec = harness.get("imgb", "app", ns.name)["spec"]
            assert "secretRef" not in spec["output"] and "timeout" not in spec, spec
            policy.apply(defaults={"timeout": "9m"})
            ns.inline("second", INLINE, output={"image": f"{PUSH_REGISTRY}/{ns.name}/second:1", "secretRef": {"name": "push"}})
            ns.succeeded("second")
            assert run_of(ns, "app")["id"] == status["run"]["id"], "a changed default started a run"
            assert "queue" not in run_of(ns, "second"), run_of(ns, "second")


VIOLATIONS = [
    ("outputs", "allowed.outputs", {"output": {"image": f"{PUSH_REGISTRY}/stolen/app:1"}}, "/stolen/app"),
    ("isolation", "allowed.isolation", {"execution": {"isolation": "Baseline"}}, "Baseline"),
    ("class", "allowed.storageClasses", {"workspace": {"storageClassName": "gold"}}, '"gold"'),
    ("size", "limits.workspaceSize", {"workspace": {"size": "3Gi"}}, "3Gi"),
    ("selector", "allowed.nodeSelector", {"execution": {"nodeSelector": {"pool": "gpu"}}}, "pool=gpu"),
    ("toleration", "allowed.tolerations", {"execution": {"tolerations": [{"operator": "Exists"}]}}, "Exists"),
    ("priority", "allowed.priorityClasses", {"execution": {"priorityClassName": "system-node-critical"}}, "system-node-critical"),
    ("runtime", "allowed.runtimeClasses", {"execution": {"runtimeClassName": "kata"}}, "kata"),
    ("account", "allowed.serviceAccounts", {"execution": {"serviceAccountName": "default"}}, '"default"'),
    ("timeout", "limits.timeout", {"timeout": "2h"}, "2h"),
    ("parallel", "limits.parallelStages", {"execution": {"maxParallelStages": 9}}, "9"),
    ("memory", "limits.resources", {"execution": {"resources": {"limits": {"memory": "5Gi"}}}}, "5Gi"),
]


def test_each_rule_refuses_without_a_pod():
    with Namespace("rules") as ns:
        allowed = {"outputs": [f"{PUSH_REGISTRY}/$(namespace)/**"], "isolation": ["UserNamespace"], "storageClasses": ["fast"],
                   "nodeSelector": [{"key": "pool", "values": ["builds"]}], "tolerations": [{"key": "builds"}],
                   "priorityClasses": ["builds"], "runtimeClasses": [], "serviceAccounts": ["builder"]}
        limits = {"workspaceSize": "2Gi", "timeout": "1h", "parallelStages": 4, "resources": {"memory": "4Gi"}}
        with Policy(ns, defaults={"workspace": {"storageClassName": "fast"}}, allowed=allowed, limits=limits) as policy:
            wait_for_policy(ns, policy)
            for name, _, spec, _ in VIOLATIONS:
                ns.inline(name, INLINE, **spec)
            for name, rule, _, value in VIOLATIONS:
                failure = ns.failed(name, "PolicyViolation", 30)
                assert failure["class"] == "Policy" and failure["rule"] == rule and failure["policy"] == policy.name, failure
                for word in (policy.name, rule, value):
                    assert word in failure["message"], (word, failure["message"])
            assert not items("pods", ns.name) and not items("pvc", ns.name)


def test_base_images_are_refused_before_a_stage_pod():
    with Namespace("bases") as ns:
        with Policy(ns, allowed={"baseImages": [f"{BASE_REGISTRY}/debian"]}, limits={"stages": 2}) as policy:
            wait_for_policy(ns, policy)
            ns.inline("base", f"FROM scratch AS a\nFROM {BUSYBOX}\nCOPY --from=a / /a\nRUN true\n")
            ns.inline("copied", f"FROM scratch\nCOPY --from={BUSYBOX} /bin/busybox /\n")
            ns.inline("many", "FROM scratch AS a\nFROM scratch AS b\nFROM scratch\nCOPY --from=a / /a\nCOPY --from=b / /b\n")
            for name in ("base", "copied"):
                failure = ns.failed(name, "PolicyViolation", 60)
                assert failure["rule"] == "allowed.baseImages" and "busybox" in failure["message"], failure
                assert f"{BASE_REGISTRY}/debian" in failure["message"], failure
            assert ns.failed("many", "PolicyViolation", 60)["rule"] == "limits.stages"
            roles = {p["metadata"]["labels"][f"{harness.GROUP}/role"] for p in items("pods", ns.name)}
            assert roles <= {"prepare"}, roles


def test_a_refused_build_starts_when_the_policy_allows_it():
    with Namespace("changed") as ns:
        with Policy(ns, allowed={"outputs": ["nowhere.example"]}) as policy:
            wait_for_policy(ns, policy)
            ns.inline("app", INLINE)
            ns.failed("app", "PolicyViolation", 30)
            refused = run_of(ns, "app")
            ns.inline("broken", f"FROM {BUSYBOX}\nRUN exit 3\n", output={"image": "nowhere.example/x:1"})
            ns.failed("broken", "StageFailed", 120)
            broken = run_of(ns, "broken")
            policy.apply(allowed={"outputs": ["nowhere.example", PUSH_REGISTRY]})
            wait_until("the refused build to start", 30, lambda: run_of(ns, "app").get("id") != refused["id"])
            status = ns.succeeded("app")
            assert status["run"]["trigger"] == "PolicyChanged", status["run"]
            assert run_of(ns, "broken")["id"] == broken["id"], "a changed policy started a build that it had not refused"


def test_a_default_cache_is_one_of_the_build():
    with Namespace("cached") as ns, Namespace("alone") as alone:
        repository = f"{PUSH_REGISTRY}/cache/$(namespace)/$(name)"
        with Policy(ns, alone, defaults={"cache": {"mode": "Registry", "repository": repository}, "imagePullSecrets": [{"name": "push"}]}) as policy:
            for namespace in (ns, alone):
                wait_for_policy(namespace, policy)
            shared = f"{PUSH_REGISTRY}/cache/$(name)"
            refused = kubectl("patch", "buildpolicy", policy.name, "--type=merge", "-p",
                              json.dumps({"spec": {"defaults": {"cache": {"repository": shared}}}}), check=False)
            assert refused.returncode != 0 and "namespaces must not share a cache" in refused.stderr, refused
            ns.inline("app", INLINE)
            first = ns.succeeded("app")
            assert not first["stages"][0].get("cachedSteps"), first["stages"]
            kubectl("annotate", "imgb", "app", "-n", ns.name, f"{harness.GROUP}/rebuild=again")
            wait_until("the second run", 30, lambda: run_of(ns, "app").get("sequence") == 2)
            second = ns.succeeded("app")
            assert second["stages"][0]["cachedSteps"] == 1, second["stages"]
            alone.inline("app", INLINE)
            assert not alone.succeeded("app")["stages"][0].get("cachedSteps"), "a cache of another namespace was used"


def test_hold_then_open_by_priority_one_at_a_time():
    with Namespace("hold") as ns:
        with Policy(ns, admission="Hold", admissionMessage="maintenance until 18:00", limits={"runningBuilds": 1}) as policy:
            wait_for_policy(ns, policy)
            for name, priority in (("low", -5), ("normal", 0), ("urgent", 9)):
                ns.inline(name, INLINE, priority=priority)
            ns.inline("impatient", INLINE, queueTimeout="3s")
            for name in ("low", "normal", "urgent"):
                status = wait_until(f"{name} to be held", 30, lambda: (lambda s: s if condition(s, "Admitted")["reason"] == "Held" else None)(
                    ns.status(name)))
                ready = condition(status, "Ready")
                assert ready["status"] == "Unknown" and ready["reason"] == "Queued" and status["phase"] == "Queued", status
                assert policy.name in ready["message"] and "maintenance until 18:00" in ready["message"], ready
            assert "spec.queueTimeout" in ns.failed("impatient", "BuildTimeout", 30)["message"]
            assert not items("pods", ns.name)
            policy.apply(admission="Open")
            runs = {name: ns.succeeded(name)["run"] for name in ("urgent", "normal", "low")}
            for earlier, later in (("urgent", "normal"), ("normal", "low")):
                assert runs[earlier]["completionTime"] <= runs[later]["admittedTime"], runs
            assert "queuePosition" not in runs["low"], runs


@contextlib.contextmanager
def operator_flags(**flags):
    """The operator of the cluster with other flags for a while."""
    name = kubectl("get", "deployment", "-n", SYSTEM_NAMESPACE, "-l", "app.kubernetes.io/name=stagewright", "-o", "name").stdout.strip()
    if not name:
        raise harness.Skip(f"the operator is no Deployment in {SYSTEM_NAMESPACE}")
    args = json.loads(kubectl("get", name, "-n", SYSTEM_NAMESPACE, "-o", "json").stdout)["spec"]["template"]["spec"]["containers"][0]["args"]

    def set_args(wanted):
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": wanted}]
        kubectl("patch", name, "-n", SYSTEM_NAMESPACE, "--type=json", "-p", json.dumps(patch))
        kubectl("rollout", "status", name, "-n", SYSTEM_NAMESPACE, "--timeout=90s", timeout=100)

    kept = [a for a in args if not any(a.startswith(f"--{flag}=") for flag in flags)]
    try:
        set_args(kept + [f"--{flag}={value}" for flag, value in flags.items()])
        yield
    finally:
        set_args(args)


def test_namespaces_take_turns_and_a_restart_keeps_the_order():
    with Namespace("many") as many, Namespace("few") as few:
        slow = f"FROM {BUSYBOX}\nRUN sleep 2\n"
        with operator_flags(**{"max-running-builds": 1}):
            for i in range(5):
                many.inline(f"b{i}", slow)
                wait_until(f"b{i} to queue", 30, lambda: run_of(many, f"b{i}").get("id"))
            few.inline("one", slow)
            wait_until("the single build to queue", 30, lambda: run_of(few, "one").get("id"))
            queued = [i for i in range(5) if not run_of(many, f"b{i}").get("admittedTime")]
            assert len(queued) >= 2, "the queue was too short to show anything"
            status = many.status(f"b{queued[-1]}")
            assert condition(status, "Admitted")["reason"] == "Queued" and 1 <= status["run"]["queuePosition"] <= 5, status["run"]
            assert "the one place of the operator is taken" in condition(status, "Ready")["message"], status["conditions"]
            kubectl("delete", "pod", "-n", SYSTEM_NAMESPACE, "-l", "app.kubernetes.io/name=stagewright", "--wait=false")
            runs = {f"b{i}": many.succeeded(f"b{i}", 300)["run"] for i in range(5)}
            one = few.succeeded("one", 300)["run"]
        order = sorted([*runs.values(), one], key=lambda run: run["admittedTime"])
        for earlier, later in zip(order, order[1:]):
            assert earlier["completionTime"] <= later["admittedTime"], ("two ran at once", earlier, later)
        names = [next((n for n, r in runs.items() if r["id"] == run["id"]), "one") for run in order]
        assert [n for n in names if n != "one"] == [f"b{i}" for i in range(5)], names
        assert names.index("one") <= 5 - len(queued), (names, queued)
