"""The API server's no: quota, limits, policies, webhooks, and namespaces that go away."""
import http.server
import json
import ssl
import subprocess
import threading
import time

import oracle
from control_plane import ApiError, wait_until
from world import SINGLE, undisturbed

VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def test_quota_of_one_pod(world):
    """ResourceQuota pods=1: said as QuotaExceeded, not charged, and the build ends once there is room."""
    state, _ = undisturbed(world)
    world.namespace()
    quota = f"/api/v1/namespaces/{world.ns}/resourcequotas"
    world.api.create(quota, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    wait_until("the quota to count", 20, lambda: world.api.get(f"{quota}/q").get("status", {}).get("hard"))
    world.operator()
    world.build()
    wait_until("QuotaExceeded", 30, lambda: world.reason() == "QuotaExceeded")
    world.api.patch(f"{quota}/q", {"spec": {"hard": {"pods": "10"}}})
    status = world.succeeded(seconds=120)
    assert status["run"].get("infrastructureRetries", 0) == 0
    world.check()
    world.same_but_for_attempts(state)


def test_single_pod_quota_gets_through(world):
    """With a quota that never grows one pod after the other runs; publish gives way to stages."""
    world.namespace()
    quota = f"/api/v1/namespaces/{world.ns}/resourcequotas"
    world.api.create(quota, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    wait_until("the quota to count", 20, lambda: world.api.get(f"{quota}/q").get("status", {}).get("hard"))
    world.operator()
    world.build(dockerfile=SINGLE)
    world.succeeded(seconds=240)
    world.check()


def test_limit_range(world):
    """A LimitRange that our pods break is the cluster's no: AdmissionDenied with its words, no retry."""
    world.namespace()
    world.api.create(f"/api/v1/namespaces/{world.ns}/limitranges", {
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", "max": {"memory": "16Mi"}}]}})
    world.operator()
    world.build(execution={"prepare": {"resources": {"limits": {"memory": "64Mi"}}}})
    status = world.failed("AdmissionDenied")
    assert "memory" in status["failure"]["message"] and status["failure"]["class"] == "Policy", status["failure"]
    world.check()


def test_pod_security(world):
    """A namespace that enforces `restricted`: AdmissionDenied with the server's words."""
    world.namespace(labels={"pod-security.kubernetes.io/enforce": "restricted"})
    world.operator()
    world.build(execution={"isolation": "Baseline"})
    status = world.failed("AdmissionDenied")
    assert "violates PodSecurity" in status["failure"]["message"], status["failure"]
    world.check()


def test_baseline_is_enough(world):
    """A namespace that enforces `baseline` takes every pod of a build."""
    world.namespace(labels={"pod-security.kubernetes.io/enforce": "baseline"})
    world.operator()
    world.build()
    world.succeeded()
    world.check()


class Webhook:
    """A validating webhook on pods: a server that says no, or a port where nobody listens."""

    def __init__(self, world, answers):
        self.world, self.name, self.server = world, world.ns, None
        d = world.plane.directory
        port = 9443
        if answers:
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Refuser)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(d / "apiserver.crt", d / "apiserver.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            threading.Thread(target=self.server.serve_forever, daemon=True).start()
        bundle = subprocess.run(["base64", "-w0", d / "ca.crt"], capture_output=True, text=True, check=True).stdout
        world.api.create(VALIDATING, {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": self.name},
            "webhooks": [{"name": "refuse.stagewright.dev", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail", "timeoutSeconds": 2,
                          "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": bundle},
                          "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.ns}},
                          "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}]})
        wait_until("the webhook to count", 20, lambda: self.counts())

    def counts(self):
        try:
            self.world.api.create(f"/api/v1/namespaces/{self.world.ns}/pods?dryRun=All", {
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
            return False
        except ApiError:
            return True

    def remove(self):
        self.world.api.delete(f"{VALIDATING}/{self.name}")
        if self.server is not None:
            self.server.shutdown()


class Refuser(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
            "uid": review["request"]["uid"], "allowed": False, "status": {"code": 403, "message": "no pods on Fridays"}}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


def test_webhook_denies(world):
    """A webhook's no is final: AdmissionDenied with its words."""
    world.namespace()
    webhook = Webhook(world, answers=True)
    try:
        world.operator()
        world.build()
        status = world.failed("AdmissionDenied")
        assert "no pods on Fridays" in status["failure"]["message"], status["failure"]
    finally:
        webhook.remove()
    world.check()


def test_webhook_is_away(world):
    """A webhook that does not answer is an outage: tried again with backoff, and the build ends as ever once it is mended."""
    state, effects = undisturbed(world)
    world.namespace()
    webhook = Webhook(world, answers=False)
    try:
        world.operator()
        world.build()
        time.sleep(8)
        assert not world.finished_status("b", None), world.status()
        tries = sum(1 for e in world.audit.requests(world.ns) if e["verb"] == "create" and e["objectRef"]["resource"] == "pods")
        print(f"{tries} tries in 8 s")
        assert 2 <= tries < 40
    finally:
        webhook.remove()
    world.succeeded(seconds=90)
    world.check()
    world.same(state, effects)


def test_namespace_deleted(world):
    """A namespace deleted at prepare, at a stage and at publish goes away with all that is in it, and the operator is quiet about it."""
    world.plane.rules({"Role": "prepare", "Run": 1500}, {"Role": "stage", "Run": 1500}, {"Role": "publish", "Run": 1500})
    replica = world.operator(namespace=None)
    for role in ("prepare", "stage", "publish"):
        ns = world.namespace(f"{world.ns}-{role}")
        world.build(ns=ns, dockerfile=SINGLE)
        wait_until(f"a running {role}", 30, lambda: any(p["status"]["phase"] == "Running" for p in world.pods(ns=ns, role=role)))
        world.api.delete(f"/api/v1/namespaces/{ns}")
        wait_until("the namespace to be gone", 60, lambda: world.api.get(f"/api/v1/namespaces/{ns}") is None)
        oracle.check_history(world.history(ns))
    before = len(replica.log().splitlines())
    time.sleep(5)
    after = replica.log().splitlines()[before:]
    assert len(after) < 5, "still talking about it:\n" + "\n".join(after)
    errors = [line for line in replica.log().splitlines() if '"level":"error"' in line]
    assert not errors, errors


def test_name_taken_by_a_stranger(world):
    """A pod of ours by name but not by owner: NameConflict, and it is not touched."""
    world.namespace()
    world.operator(start=False)
    world.build()
    # The run's id is not known before it starts: hold it with a run that waits for its prepare pod.
    replica = world.replicas[0]
    replica.faults({"Method": "POST", "Path": "/pods[?]", "Action": "drop", "Times": 6})
    replica.start()
    run = wait_until("the run's id", 20, lambda: world.status().get("run", {}).get("id"))
    name = f"b-{run}-prepare-1"
    world.api.create(f"/api/v1/namespaces/{world.ns}/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    status = world.failed("NameConflict", seconds=90)
    assert name in status["failure"]["message"]
    assert world.api.get(f"/api/v1/namespaces/{world.ns}/pods/{name}"), "the stranger's pod was removed"
