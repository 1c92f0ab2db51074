"""What a case gets: a control plane, a namespace of its own, builds, replicas of the operator, and the oracles."""
import contextlib
import time

import oracle
from control_plane import wait_until
from replica import Replica

BUILDS = oracle.BUILDS
CHAIN = "FROM base AS s0\nRUN 0\n" + "".join(f"FROM base AS s{i}\nCOPY --from=s{i - 1} /x /x\nRUN {i}\n" for i in range(1, 5))
DIAMOND = "FROM base AS a\nRUN 1\nFROM base AS b\nCOPY --from=a /x /x\nFROM base AS c\nCOPY --from=a /x /x\nFROM base AS d\nCOPY --from=b /x /x\nCOPY --from=c /x /x\n"
SINGLE = "FROM base\nRUN 1\n"


class World:
    def __init__(self, plane, recorder, audit, name):
        self.plane, self.api, self.recorder, self.audit = plane, plane.api, recorder, audit
        self.ns = name
        self.replicas = []
        self.namespaces = []

    # ---- things ----

    def namespace(self, name=None, labels=None):
        """Makes the case's own namespace, or another one."""
        name = name or self.ns
        self.plane.namespace(name, labels)
        self.namespaces.append(name)
        return name

    def operator(self, name="a", start=True, **options):
        options.setdefault("namespace", self.ns)
        replica = Replica(self.plane, f"{self.ns}-{name}", **options)
        self.replicas.append(replica)
        return replica.start() if start else replica

    def build(self, name="b", dockerfile=CHAIN, ns=None, annotations=None, **spec):
        ns = ns or self.ns
        self.api.create(f"{BUILDS}/namespaces/{ns}/imagebuilds", {
            "apiVersion": "build.stagewright.dev/v1alpha1", "kind": "ImageBuild", "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"dockerfileInline": dockerfile, "output": {"image": f"registry.invalid/{ns}/{name}:1"}, **spec}})
        return name

    def get(self, name="b", ns=None):
        return self.api.get(f"{BUILDS}/namespaces/{ns or self.ns}/imagebuilds/{name}")

    def status(self, name="b", ns=None):
        return (self.get(name, ns) or {}).get("status", {})

    def pods(self, ns=None, **labels):
        selector = ",".join(f"{oracle.GROUP}/{k}={v}" for k, v in labels.items())
        return self.api.get(f"/api/v1/namespaces/{ns or self.ns}/pods?labelSelector={selector}")["items"]

    def running(self, seconds=30, **labels):
        """Waits for a running pod with these labels."""
        return wait_until(f"a running pod with {labels}", seconds,
                          lambda: next((p for p in self.pods(**labels) if p["status"]["phase"] == "Running" and not p["metadata"].get("deletionTimestamp")), None))

    def delete_pod_of(self, role, stage, build="b"):
        """As `kubectl delete pod` would."""
        for pod in self.pods(build=build, role=role, stage=stage):
            self.api.delete(f"/api/v1/namespaces/{self.ns}/pods/{pod['metadata']['name']}")

    def delete_build(self, name="b", ns=None):
        self.api.delete(f"{BUILDS}/namespaces/{ns or self.ns}/imagebuilds/{name}", propagationPolicy="Background")

    # ---- waiting ----

    def finished(self, name="b", seconds=60, ns=None):
        try:
            return wait_until(f"{name} to finish", seconds, lambda: self.finished_status(name, ns))
        except AssertionError as error:
            raise AssertionError(f"{error}; its status: {self.status(name, ns)}") from None

    def finished_status(self, name, ns):
        status = self.status(name, ns)
        return status if oracle.condition(status, "Finished")["status"] == "True" else None

    def succeeded(self, name="b", seconds=60, ns=None):
        status = self.finished(name, seconds, ns)
        assert oracle.condition(status, "Ready")["status"] == "True", f"{name} did not succeed: {status}"
        return status

    def failed(self, reason, name="b", seconds=60):
        status = self.finished(name, seconds)
        ready = oracle.condition(status, "Ready")
        assert (ready["status"], ready["reason"]) == ("False", reason), f"{name}: wanted {reason}, got {status}"
        return status

    def reason(self, name="b"):
        return oracle.condition(self.status(name), "Ready")["reason"]

    # ---- oracles ----

    def history(self, ns=None):
        self.settle()
        return self.recorder.history(ns or self.ns)

    def settle(self):
        """Waits until the recorder has seen what was written so far: a mark that comes after it."""
        name = f"mark-{time.monotonic_ns()}"
        mark = self.api.create("/api/v1/namespaces/default/persistentvolumeclaims", {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}})
        wait_until("the recorder", 20, lambda: any(o["metadata"]["name"] == name for _, _, _, o in self.recorder.history("default")))
        self.api.delete(f"/api/v1/namespaces/default/persistentvolumeclaims/{mark['metadata']['name']}")
        time.sleep(0.2)  # the other two watches of the recorder

    def check(self, ns=None):
        self.settle()
        oracle.check_all(self.recorder, self.audit, ns or self.ns)

    def effects(self, name="b", ns=None):
        return oracle.effects(self.history(ns), name)

    def end_state(self, name="b", ns=None, attempts=True):
        return oracle.end_state(self.get(name, ns), attempts)

    def same(self, state, effects, name="b", ns=None):
        """The build ended as the undisturbed one did, and had the same pods."""
        oracle.assert_same(self.end_state(name, ns), state)
        seen = self.effects(name, ns)
        assert seen == effects, f"other pods than undisturbed: {seen} instead of {effects}"

    def same_but_for_attempts(self, state, name="b", ns=None):
        oracle.assert_same(self.end_state(name, ns, attempts=False), oracle.without_attempts(state))

    def writes(self, ns=None):
        return oracle.writes_of(self.audit, ns or self.ns)

    def check_nothing_leaks(self, name="b"):
        """After the build is deleted the garbage collector takes everything of it."""
        self.delete_build(name)
        wait_until("the garbage collector to take the build's pods and claims", 60, lambda: not self.children(name))

    def children(self, name, ns=None):
        selector = f"labelSelector={oracle.GROUP}/build={name}"
        return [o["metadata"]["name"] for kind in ("pods", "persistentvolumeclaims")
                for o in self.api.get(f"/api/v1/namespaces/{ns or self.ns}/{kind}?{selector}")["items"]]

    # ---- the end ----

    def close(self):
        for replica in self.replicas:
            for process in (f"operator-{replica.name}", f"proxy-{replica.name}"):
                self.plane.kill(process)
        for name in self.namespaces:
            with contextlib.suppress(Exception):
                self.api.delete(f"/api/v1/namespaces/{name}")
        with contextlib.suppress(Exception):
            self.plane.rules()

    def explain(self):
        """For a person, after a failure."""
        for replica in self.replicas:
            print(f"--- end of the log of {replica.name}\n" + "\n".join(replica.log().splitlines()[-25:]))
            with contextlib.suppress(Exception):
                print(f"tripped: {replica.tripped()}")
        for ns in self.namespaces:
            with contextlib.suppress(Exception):
                for pod in self.pods(ns):
                    print(pod["metadata"]["name"], pod["status"].get("phase"), pod["status"].get("reason", ""), pod["metadata"].get("deletionTimestamp", ""))


def undisturbed(world, dockerfile=CHAIN, ns_suffix="plain", **spec):
    """(end state, effects) of the same build with nothing in its way: what every disturbed one is compared with."""
    ns = world.namespace(f"{world.ns}-{ns_suffix}")
    replica = world.operator(ns_suffix, namespace=ns)
    world.build(dockerfile=dockerfile, ns=ns, **spec)
    world.succeeded(ns=ns)
    out = world.end_state(ns=ns), world.effects(ns=ns)
    world.check(ns)
    replica.stop()
    return out
