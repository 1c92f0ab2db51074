"""Shipwright's controller on top of Tekton's: a BuildRun is a TaskRun of one pod, whose step does the whole Dockerfile, so
there are single stages only. The strategy is one step that names its command, and no source is fetched. Builds are
registered before the clock starts. Both controllers count, in requests, CPU and memory."""
import tekton  # first: it says where the next ones are
from control_plane import ControlPlane, wait_until
from peers import directory, manifests, version

NAMESPACE = "shipwright-build"
ACCOUNT = f"{NAMESPACE}:shipwright-build-controller"
API = "/apis/shipwright.io/v1beta1"
INSTALLED = ("100-*", "200-*", "300-*", "400-*", "crds/*")
# `raised` beside Tekton's; its requests are not limited in either.
ENVIRONMENT = {"stock": {}, "raised": {"BUILDRUN_MAX_CONCURRENT_RECONCILES": "32"}}


def contenders():
    return [(Shipwright, {"settings": name}) for name in ENVIRONMENT] if directory("shipwright", on="tekton") else []


class Shipwright(tekton.Tekton):
    CHAINS = False
    resources = ("buildruns",)

    def __init__(self, plane, scale, settings):
        super().__init__(plane, scale, settings)
        self.controller, self.environment = f"{version('shipwright')} on {version('tekton')} {settings}", ENVIRONMENT[settings]

    @staticmethod
    def control_plane():
        return ControlPlane(nodes=10, kubelet=("--pods", "tekton.dev/taskRun"), audited=[f"system:serviceaccount:{a}" for a in (ACCOUNT, tekton.ACCOUNT)])

    def install(self):
        super().install()
        self.plane.kubectl("apply", "--server-side", "-f", "-", text=manifests("shipwright", *INSTALLED))
        wait_until("Shipwright's CRDs to be served", 20, lambda: all(self.api.get(f"{API}/{r}") for r in ("builds", "buildruns", "clusterbuildstrategies")))
        self.api.create(f"{API}/clusterbuildstrategies", {
            "apiVersion": "shipwright.io/v1beta1", "kind": "ClusterBuildStrategy", "metadata": {"name": "command"},
            "spec": {"steps": [{"name": "work", "image": "standin.invalid/base@sha256:" + "4" * 64, "command": ["true"]}]}})

    # ---- what is measured ----

    def namespace(self, name):
        super().namespace(name)
        self.api.create(f"{API}/namespaces/{name}/builds", {
            "apiVersion": "shipwright.io/v1beta1", "kind": "Build", "metadata": {"name": "app"},
            "spec": {"strategy": {"kind": "ClusterBuildStrategy", "name": "command"}, "output": {"image": f"registry.invalid/{name}/app:1"}}})
        return name

    def start(self):
        controller = super().start()
        controller.start("shipwright", "--kubeconfig", ACCOUNT, env={
            "BUILD_CONTROLLER_LEADER_ELECTION_NAMESPACE": NAMESPACE, "WATCH_NAMESPACE": NAMESPACE, "CONTROLLER_NAME": "shipwright-build",
            "TERMINATION_LOG_PATH": "/dev/null", **self.environment})

        def registered():
            controller.check()
            return all(b.get("status", {}).get("registered") == "True" for b in self.api.get(f"{API}/builds")["items"])
        wait_until("the Builds to be registered", 120, registered)
        return controller

    def create(self, ns, name, tasks=1):
        assert tasks == 1
        self.api.create(f"{API}/namespaces/{ns}/buildruns", {
            "apiVersion": "shipwright.io/v1beta1", "kind": "BuildRun", "metadata": {"name": name}, "spec": {"build": {"name": "app"}}})

    def lists(self, ns=None):
        return [f"{API}/namespaces/{ns}/buildruns" if ns else f"{API}/buildruns"]

    def build_of_first_pod(self, pod):
        """b00001-k2x9q-pod."""
        return pod.removesuffix("-pod").rsplit("-", 1)[0]
