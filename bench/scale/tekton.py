"""Tekton's controller under the workloads of our operator: a chain is a PipelineRun of five tasks in sequence, a single
stage is a TaskRun. Its own roles and ConfigMaps, and its CRDs without conversion: no webhook runs, so objects are created
with the defaults that it would set."""
import time

from measure import EXIT_MS, STAGE_MS, STAGES, Bench, process_use  # first: it says where the next ones are
from control_plane import ControlPlane, wait_until
from oracle import condition
from peers import Controller, directory, manifests, version

NAMESPACE = "tekton-pipelines"
ACCOUNT = f"{NAMESPACE}:tekton-pipelines-controller"
API = "/apis/tekton.dev/v1"
INSTALLED = ("100-namespace/*", "200-*", "201-*", "300-crds/*", "config-*")
IMAGES = ("-entrypoint-image", "-nop-image", "-sidecarlogresults-image", "-workingdirinit-image", "-shell-image", "-shell-image-win")
CONFIGURATIONS = {"DEFAULTS": "config-defaults", "LOGGING": "config-logging", "OBSERVABILITY": "config-observability", "FEATURE_FLAGS": "feature-flags",
                  "LEADERELECTION": "config-leader-election-controller"}
# `raised` is what a busy cluster is advised, with room; and it does not wait for sidecars that nobody injects.
SETTINGS = {"stock": {"flags": (), "features": {}},
            "raised": {"flags": ("-threads-per-controller", "32", "-kube-api-qps", "300", "-kube-api-burst", "500"),
                       "features": {"running-in-environment-with-injected-sidecars": "false"}}}


def contenders():
    return [(Tekton, {"settings": name}) for name in SETTINGS] if directory("tekton") else []


class Tekton(Bench):
    SINGLE = {"tasks": 1}
    resources = ("pipelineruns", "taskruns")

    def __init__(self, plane, scale, settings):
        self.controller, self.settings = f"{version('tekton')} {settings}", SETTINGS[settings]
        super().__init__(plane, scale)
        self.install()

    @staticmethod
    def control_plane():
        return ControlPlane(nodes=10, kubelet=("--pods", "tekton.dev/taskRun"), audited=[f"system:serviceaccount:{ACCOUNT}"])

    def install(self):
        self.plane.kubectl("apply", "--server-side", "-f", "-", text=manifests("tekton", *INSTALLED))
        wait_until("Tekton's CRDs to be served", 20, lambda: all(self.api.get(f"{API}/{r}") for r in ("pipelineruns", "taskruns")))
        if self.settings["features"]:
            self.api.patch(f"/api/v1/namespaces/{NAMESPACE}/configmaps/feature-flags", {"data": self.settings["features"]})

    # ---- what is measured ----

    def set_times(self):
        self.plane.rules({"Run": STAGE_MS, "Exit": EXIT_MS})

    def start(self):
        controller = Controller(self.plane)
        images = [part for flag in IMAGES for part in (flag, f"standin.invalid{flag.replace('-', '/', 1)}@sha256:" + "3" * 64)]
        controller.start("tekton", "-kubeconfig", ACCOUNT, *images, *self.settings["flags"], env={
            "SYSTEM_NAMESPACE": NAMESPACE, "METRICS_DOMAIN": "tekton.dev/pipeline", "PROBES_PORT": "8081", "CONFIG_SPIRE": "config-spire",
            **{f"CONFIG_{key}_NAME": name for key, name in CONFIGURATIONS.items()}})
        return controller

    def warm(self, name):
        """It has no sign that it is ready and leads, so a first run tells."""
        controller = self.start()
        warm = self.namespace(f"{name}-warm")
        self.create(warm, "warm", tasks=1)

        def finished():
            controller.check()
            return self.is_finished(self.statuses(warm)[0][1])
        wait_until("the first run", 120, finished)
        time.sleep(3)  # the last writes of that run
        return controller

    def use(self, controller):
        return process_use(*controller.pids())

    def create(self, ns, name, tasks=STAGES):
        spec = {"steps": [{"name": "work", "image": "standin.invalid/base@sha256:" + "4" * 64, "command": ["true"]}]}
        if tasks == 1:
            kind, spec = "TaskRun", {"serviceAccountName": "default", "timeout": "1h0m0s", "taskSpec": spec}
        else:
            chain = [{"name": f"s{i}", "taskSpec": spec, **({"runAfter": [f"s{i - 1}"]} if i else {})} for i in range(tasks)]
            kind, spec = "PipelineRun", {"pipelineSpec": {"tasks": chain}, "timeouts": {"pipeline": "1h0m0s"}, "taskRunTemplate": {"serviceAccountName": "default"}}
        # Its watch of pods wants the label, which the webhook gives to runs and runs to their pods.
        self.api.create(f"{API}/namespaces/{ns}/{kind.lower()}s", {
            "apiVersion": "tekton.dev/v1", "kind": kind, "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "tekton-pipelines"}}, "spec": spec})

    def lists(self, ns=None):
        return [f"{API}/namespaces/{ns}/{r}" if ns else f"{API}/{r}" for r in self.resources]

    def clean(self, ns, patience):
        """It keeps the pods as long as their runs."""

    def is_finished(self, status):
        return condition(status, "Succeeded")["status"] in ("True", "False")

    def succeeded_at(self, status):
        return status["completionTime"] if condition(status, "Succeeded")["status"] == "True" else None

    def build_of_first_pod(self, pod):
        """b00001-pod of a TaskRun, b00001-s0-pod of a PipelineRun."""
        run = pod.removesuffix("-pod").removesuffix("-s0")
        return run if "-" not in run else None
