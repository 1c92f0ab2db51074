"""What every end-to-end case needs: kubectl, a namespace of its own, ImageBuilds, and answers about them.

Cases are functions named test_* in tests/e2e/cases/. They run against a real cluster on which the operator is
installed. They say what they saw by assertions with the whole status in the message."""
import base64
import json
import os
import pathlib
import random
import string
import subprocess
import time

# As `scripts/cluster.sh env` prints them.
BASE_REGISTRY = os.environ.get("STAGEWRIGHT_OPEN_REGISTRY", "10.89.0.1:5001")  # anonymous, as pods and nodes see it
PUSH_REGISTRY = os.environ.get("STAGEWRIGHT_REGISTRY", "10.89.0.1:5000")  # asks for a password
PUSH_USER = os.environ.get("STAGEWRIGHT_REGISTRY_USER", "stagewright")


def _password():
    path = os.environ.get("STAGEWRIGHT_REGISTRY_PASSWORD_FILE")
    return pathlib.Path(path).read_text().strip() if path else ""


PUSH_PASSWORD = _password()
SYSTEM_NAMESPACE = os.environ.get("STAGEWRIGHT_NAMESPACE", "stagewright-system")
GROUP = "build.stagewright.dev"
BUSYBOX = f"{BASE_REGISTRY}/busybox:latest"
DEBIAN = f"{BASE_REGISTRY}/debian:12"
GOLANG = f"{BASE_REGISTRY}/golang:latest"


class Skip(Exception):
    """Raised by a case that needs something this machine or cluster lacks. The runner says so aloud."""


def kubectl(*args, input=None, check=True, timeout=120):
    done = subprocess.run(["kubectl", *args], input=input, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"kubectl {' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}")
    return done


def get(kind, name, namespace=None):
    scope = ["-n", namespace] if namespace else []
    done = kubectl("get", kind, name, *scope, "-o", "json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def items(kind, namespace, selector=None):
    extra = ["-l", selector] if selector else []
    return json.loads(kubectl("get", kind, "-n", namespace, *extra, "-o", "json").stdout)["items"]


def wait_until(what, seconds, probe, step=0.1):
    """The first true value of probe(); fails loudly with what it waited for. Polls a state, never just sleeps."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(step)


class Namespace:
    """A namespace with Pod Security `enforce: baseline`, a push Secret, and helpers bound to it."""

    def __init__(self, label):
        suffix = "".join(random.choices(string.ascii_lowercase + string.digits, k=5))
        self.name = f"e2e-{label}-{suffix}"[:63]

    def __enter__(self):
        kubectl("create", "-f", "-", input=json.dumps({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": self.name, "labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}))
        self.registry_secret("push", PUSH_USER, PUSH_PASSWORD)
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and not issubclass(kind, Skip):
            self.dump()
        if not os.environ.get("STAGEWRIGHT_E2E_KEEP"):
            kubectl("delete", "namespace", self.name, "--wait=false", check=False)

    def dump(self):
        """What a person needs after a failure."""
        print(f"--- namespace {self.name}")
        print(kubectl("get", "imgb,pods,pvc", "-n", self.name, "-o", "wide", check=False).stdout)
        print(kubectl("get", "events", "-n", self.name, "--sort-by=.lastTimestamp", check=False).stdout[-6000:])
        for build in items("imgb", self.name):
            print(json.dumps(build.get("status", {}), indent=1)[:6000])
        for pod in items("pods", self.name):
            name = pod["metadata"]["name"]
            print(f"--- log of {name}")
            print(kubectl("logs", "-n", self.name, name, "--all-containers", "--tail=40", check=False).stdout[-4000:])

    def apply(self, *objects):
        for o in objects:
            o.setdefault("metadata", {})["namespace"] = self.name
        return kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def refused(self, obj):
        """Applies what the API server must refuse; gives its message."""
        obj.setdefault("metadata", {})["namespace"] = self.name
        done = kubectl("apply", "-f", "-", input=json.dumps(obj), check=False)
        assert done.returncode != 0, f"the API server accepted {json.dumps(obj)}"
        return done.stderr

    def config_map(self, name, files):
        """Files with text or bytes."""
        text = {k: v for k, v in files.items() if isinstance(v, str)}
        binary = {k: base64.b64encode(v).decode() for k, v in files.items() if isinstance(v, bytes)}
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": text, "binaryData": binary})

    def registry_secret(self, name, user, password, host=None, raw=None):
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        config = raw if raw is not None else json.dumps({"auths": {host or PUSH_REGISTRY: {"auth": auth}}})
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
                    "type": "kubernetes.io/dockerconfigjson",
                    "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()}})

    def build(self, name, **spec):
        """Applies an ImageBuild. Defaults: push into this namespace's repository, local registries by plain HTTP."""
        self.apply(image_build(name, self.name, **spec))
        return name

    def inline(self, name, dockerfile, **spec):
        return self.build(name, dockerfileInline=dockerfile, **spec)

    def with_context(self, name, files, **spec):
        """A build whose context is a ConfigMap."""
        self.config_map(f"{name}-src", files)
        return self.build(name, source={"configMap": {"name": f"{name}-src"}}, **spec)

    def status(self, name):
        return (get("imgb", name, self.name) or {}).get("status", {})

    def finished(self, name, timeout=180):
        """Waits by `kubectl wait --for=condition=Finished`, which must end in every case. Gives the status."""
        kubectl("wait", f"imgb/{name}", "-n", self.name, "--for=condition=Finished", f"--timeout={timeout}s",
                timeout=timeout + 30)
        return self.status(name)

    def succeeded(self, name, timeout=180):
        status = self.finished(name, timeout)
        ready = condition(status, "Ready")
        assert ready["status"] == "True", f"{name} did not succeed: {json.dumps(status, indent=1)}"
        return status

    def failed(self, name, reason, timeout=180):
        """Gives the failure block after checking conditions, reason and that the message is there."""
        status = self.finished(name, timeout)
        ready = condition(status, "Ready")
        assert ready["status"] == "False" and ready["reason"] == reason, (
            f"{name}: wanted Ready=False {reason}, got {json.dumps(status, indent=1)}")
        assert ready["message"], "a failure without a message"
        failure = status.get("failure", {})
        assert failure.get("reason") == reason, json.dumps(status, indent=1)
        return failure

    def logs(self, name, stage):
        pod = next(s for s in self.status(name)["stages"] if s["name"] == stage or str(s["index"]) == stage)["pod"]
        return kubectl("logs", "-n", self.name, pod, "-c", "stage").stdout

    def run_pod(self, name, image, command=None, timeout=60):
        """Runs an image of the push registry as a pod; gives its log."""
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
               "spec": {"restartPolicy": "Never", "imagePullSecrets": [{"name": "push"}],
                        "containers": [{"name": "c", "image": image, **({"command": command} if command else {})}]}}
        self.apply(pod)
        wait_until(f"pod {name} to end", timeout,
                   lambda: (get("pod", name, self.name) or {}).get("status", {}).get("phase") in ("Succeeded", "Failed"))
        return kubectl("logs", "-n", self.name, name).stdout


def image_build(name, namespace, **spec):
    spec.setdefault("output", {"image": f"{PUSH_REGISTRY}/{namespace}/{name}:1", "secretRef": {"name": "push"}})
    spec.setdefault("registries", [{"host": BASE_REGISTRY, "tls": "PlainHTTP"}, {"host": PUSH_REGISTRY, "tls": "PlainHTTP"}])
    annotations = spec.pop("annotations", None)
    metadata = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": "ImageBuild", "metadata": metadata, "spec": spec}


def condition(status, kind):
    for c in status.get("conditions", []):
        if c["type"] == kind:
            return c
    return {"status": "absent", "reason": "", "message": ""}


def stage_pods(namespace, build):
    return items("pods", namespace, f"{GROUP}/build={build},{GROUP}/role=stage")


def seconds_between(a, b):
    import datetime
    parse = lambda t: datetime.datetime.fromisoformat(t.replace("Z", "+00:00"))
    return (parse(b) - parse(a)).total_seconds()
