"""A Kubernetes control plane without machines: etcd, API server with an audit log, controller manager, and the
stand-in for the kubelets. Everything runs on the loopback of a network namespace of its own, so that several can run
side by side and beside the local cluster; see `enter_namespaces`. The data lives in memory and etcd does not wait for
a disk (--unsafe-no-fsync): what is measured here is our operator, not a disk."""
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
NODE_ADDRESS = "10.99.0.1"  # of every fake node: the API server refuses loopback addresses
API_PORT = 6443
KUBELET_ORDERS = 9250
SYSTEM_NAMESPACE = "stagewright-system"
OPERATOR_USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:stagewright"
# What cares for the objects that builds make. The others have nothing to do here.
CONTROLLERS = ("garbage-collector-controller", "namespace-controller", "serviceaccount-controller", "resourcequota-controller",
               "pod-garbage-collector-controller", "node-lifecycle-controller", "taint-eviction-controller", "disruption-controller",
               "persistentvolumeclaim-protection-controller", "persistentvolume-binder-controller")


class TooSlow(Exception):
    """This machine cannot bring the fault about that a case is made of. The runner says so aloud."""


class Missing(Exception):
    """Something that this machine must have is not there; the runner skips and says so."""


def enter_namespaces():
    """Starts this program again in its own network and process namespaces: whatever happens, nothing is left behind."""
    if os.environ.get("STAGEWRIGHT_FAULTS_INSIDE") == "1":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"], check=True)
        return
    if os.geteuid() != 0:
        raise Missing("root (for a network namespace)")
    for tool in ("unshare", "ip", "openssl"):
        if not shutil.which(tool):
            raise Missing(f"the program {tool}")
    os.environ["STAGEWRIGHT_FAULTS_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", sys.executable, *sys.argv])


def cluster_program(name):
    cache = os.environ.get("STAGEWRIGHT_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "stagewright")
    path = pathlib.Path(cache, "bin", name)
    if not path.exists():
        raise Missing(f"{path}; `scripts/cluster.sh build` makes it")
    return str(path)


def go_program():
    """The Go that builds the cluster's programs (cluster/toolchain.sh)."""
    script = f'source "{ROOT}/scripts/lib.sh"; source "{ROOT}/cluster/settings.sh"; source "{ROOT}/cluster/toolchain.sh"; find_go'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing("Go, which `scripts/cluster.sh build` brings")
    return done.stdout.strip()


def standin_program():
    """Builds tests/faults/standin, once per state of its sources."""
    sources = sorted((HERE / "standin").glob("*.go")) + [HERE / "standin" / "go.mod"]
    digest = hashlib.sha256(b"".join(s.read_bytes() for s in sources)).hexdigest()[:12]
    cache = os.environ.get("STAGEWRIGHT_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "stagewright")
    program = pathlib.Path(cache, "builds", f"standin-{digest}")
    if not program.exists():
        go = go_program()
        new = program.with_suffix(f".{os.getpid()}")
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([go, "build", "-trimpath", "-o", str(new), "."], cwd=HERE / "standin", check=True,
                       env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"})
        new.rename(program)
    return str(program)


class ApiError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body[:300]}")
        self.status, self.body = status, body


class Api:
    """A client of the API server with administrator's rights. One connection per thread."""

    def __init__(self, directory):
        self.tls = ssl.create_default_context(cafile=directory / "ca.crt")
        self.tls.load_cert_chain(directory / "tester.crt", directory / "tester.key")
        self.local = threading.local()

    def connect(self, timeout=30):
        connection = http.client.HTTPSConnection("127.0.0.1", API_PORT, context=self.tls, timeout=timeout)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def request(self, method, path, body=None, content_type="application/json"):
        text = None if body is None else json.dumps(body)
        for _ in range(20):  # a CRD's storage needs a moment, and says 429 until then
            answer, data = self.exchange(method, path, text, content_type)
            if answer.status != 429 or path.endswith("/eviction"):
                break
            time.sleep(0.5)
        if answer.status >= 300:
            raise ApiError(answer.status, data.decode(errors="replace"))
        try:
            return json.loads(data)
        except ValueError:
            return data.decode()

    def exchange(self, method, path, text, content_type):
        for fresh in (False, True):
            try:
                if fresh or getattr(self.local, "connection", None) is None:
                    self.local.connection = self.connect()
                connection = self.local.connection
                connection.request(method, path, text, {"Content-Type": content_type, "User-Agent": "tester"})
                answer = connection.getresponse()
                return answer, answer.read()
            except (OSError, http.client.HTTPException):
                self.local.connection = None
                if fresh:
                    raise
        raise AssertionError("not reached")

    def get(self, path):
        """None for what is not there."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, path, body):
        return self.request("POST", path, body)

    def patch(self, path, body, kind="merge-patch"):
        return self.request("PATCH", path, body, f"application/{kind}+json")

    def delete(self, path, **options):
        try:
            return self.request("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", **options})
        except ApiError as error:
            if error.status == 404:
                return None
            raise


def order(port, method, path, body=None):
    """An order to a stand-in."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, None if body is None else json.dumps(body))
    answer = connection.getresponse()
    data = answer.read().decode()
    if answer.status >= 300:
        raise AssertionError(f"order {method} {path}: {answer.status} {data}")
    return data


def wait_until(what, seconds, probe, step=0.05):
    """The first true value of probe(); fails loudly with what it waited for."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(step)


class ControlPlane:
    def __init__(self, nodes=3, kubelet=(), apiserver=(), audited=()):
        """`audited`: users beside our operator whose requests the audit log shall hold."""
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="stagewright-faults-", dir=memory))
        self.audit = self.directory / "audit.log"
        self.processes = {}
        self.kubelet_flags = ["--nodes", str(nodes), "--address", NODE_ADDRESS, *map(str, kubelet)]
        self.apiserver_flags = list(apiserver)
        self.audited = [OPERATOR_USER, *audited]
        self.standin = standin_program()

    def __enter__(self):
        try:
            self.make_certificates()
            self.start_etcd()
            begin = time.monotonic()
            self.start_apiserver()
            self.api = Api(self.directory)
            self.wait_ready()
            self.start_takes = time.monotonic() - begin
            self.start_controller_manager()
            self.install()
            self.start_kubelet()
        except BaseException:
            for name in ("kube-apiserver", "etcd", "kubelet"):
                path = self.directory / f"{name}.log"
                if path.exists():
                    print(f"--- end of {name}'s log\n" + "\n".join(path.read_text(errors="replace").splitlines()[-5:]))
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        for name in list(self.processes):
            self.kill(name)
        if os.environ.get("STAGEWRIGHT_FAULTS_KEEP"):
            print(f"kept: {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    # ---- processes ----

    def start_served(self, name, *command):
        """A part of the control plane. Elsewhere it has a machine, or three, of its own. Here, where it shares two cores, each answer
        of etcd would wait several times until all others have had their turn, and small heaps would be collected all the time."""
        self.start(name, *command, env={"GOGC": "400", "GOMEMLIMIT": "4GiB"}, niceness=-10 if name == "etcd" else -5)

    def start(self, name, *command, env=None, niceness=0):
        with open(self.directory / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(["nice", "-n", str(niceness), *(str(c) for c in command)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                    env={**os.environ, **(env or {})}, cwd=self.directory)
        return self.processes[name]

    def kill(self, name, with_signal=signal.SIGKILL):
        process = self.processes.pop(name, None)
        if process is not None:
            process.send_signal(with_signal)
            process.wait()

    def start_etcd(self):
        self.start_served("etcd", cluster_program("etcd"), "--data-dir", self.directory / "etcd", "--unsafe-no-fsync",
                          "--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379",
                          "--listen-peer-urls", "http://127.0.0.1:2380", "--initial-advertise-peer-urls", "http://127.0.0.1:2380",
                          "--initial-cluster", "default=http://127.0.0.1:2380", "--quota-backend-bytes", str(6 << 30))

    def start_apiserver(self):
        d = self.directory
        self.start_served("kube-apiserver", cluster_program("kube-apiserver"),
                          "--advertise-address", NODE_ADDRESS, "--bind-address", "127.0.0.1", "--secure-port", API_PORT, "--etcd-servers", "http://127.0.0.1:2379",
                          "--authorization-mode", "RBAC", "--enable-admission-plugins", "OwnerReferencesPermissionEnforcement",
                          "--permit-port-sharing", "--service-cluster-ip-range", "10.98.0.0/16", "--client-ca-file", d / "ca.crt",
                          "--tls-cert-file", d / "apiserver.crt", "--tls-private-key-file", d / "apiserver.key",
                          "--kubelet-client-certificate", d / "tester.crt", "--kubelet-client-key", d / "tester.key",
                          "--kubelet-preferred-address-types", "InternalIP", "--event-ttl", "1h",
                          "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", d / "accounts.pub",
                          "--service-account-signing-key-file", d / "accounts.key",
                          "--audit-policy-file", d / "audit.yaml", "--audit-log-path", self.audit, *self.apiserver_flags)

    def start_controller_manager(self):
        config = self.kubeconfig("controller-manager")
        self.start_served("kube-controller-manager", cluster_program("kube-controller-manager"), "--kubeconfig", config,
                          "--authentication-kubeconfig", config, "--authorization-kubeconfig", config, "--bind-address", "127.0.0.1",
                          "--leader-elect=false", "--use-service-account-credentials=false",
                          "--controllers", ",".join(CONTROLLERS), "--kube-api-qps", "500", "--kube-api-burst", "1000",
                          "--concurrent-gc-syncs", "20")

    def start_kubelet(self, *flags):
        self.start("kubelet", self.standin, "kubelet", *self.client_flags("kubelet"), *self.kubelet_flags, *flags)
        wait_until("the fake nodes", 20, self.kubelet_answers)

    def kubelet_answers(self):
        try:
            return order(KUBELET_ORDERS, "GET", "/pods")
        except OSError:
            return None

    def client_flags(self, user):
        d = self.directory
        return ["--server", f"https://127.0.0.1:{API_PORT}", "--ca", d / "ca.crt", "--cert", d / f"{user}.crt", "--key", d / f"{user}.key"]

    def wait_ready(self, seconds=60):
        def ready():
            try:
                return self.api.request("GET", "/readyz") == "ok"
            except (OSError, ApiError, http.client.HTTPException):
                if self.processes["kube-apiserver"].poll() is not None:
                    raise AssertionError("the API server ended") from None
                return False
        wait_until("the API server", seconds, ready, 0.1)

    # ---- files ----

    def make_certificates(self):
        d = self.directory
        run = lambda *arguments: subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=d)
        run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key")
        run("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=stagewright-faults", "-days", 30, "-out", "ca.crt")
        run("genrsa", "-out", "accounts.key", 2048)
        run("rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub")
        accounts = f"/O=system:serviceaccounts/O=system:serviceaccounts:{SYSTEM_NAMESPACE}"
        for name, subject in {"apiserver": "/CN=kube-apiserver", "tester": "/O=system:masters/CN=tester", "kubelet": "/O=system:masters/CN=standin-kubelet",
                              "controller-manager": "/O=system:masters/CN=system:kube-controller-manager",
                              "operator": f"{accounts}/CN={OPERATOR_USER}"}.items():
            run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
            run("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
            (d / "extensions").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n")
            run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", 30, "-extfile", "extensions", "-out", f"{name}.crt")
        (d / "audit.yaml").write_text(json.dumps({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived", "ResponseStarted"],
            "rules": [{"level": "Metadata", "users": self.audited},
                      {"level": "Metadata", "verbs": ["create"], "resources": [{"group": "build.stagewright.dev", "resources": ["imagebuilds"]},
                                                                               {"group": "tekton.dev", "resources": ["pipelineruns", "taskruns"]},
                                                                               {"group": "shipwright.io", "resources": ["buildruns"]}]},
                      {"level": "None"}]}))

    def kubeconfig(self, user, server=f"https://127.0.0.1:{API_PORT}", name=None):
        """A kubeconfig file; JSON is YAML. Through a plain proxy no certificate is needed: the proxy has one."""
        d = self.directory
        path = d / f"{name or user}.kubeconfig"
        tls = server.startswith("https")
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": server, **({"certificate-authority": str(d / "ca.crt")} if tls else {})}}],
            "users": [{"name": "u", "user": {"client-certificate": str(d / f"{user}.crt"), "client-key": str(d / f"{user}.key")} if tls else {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": SYSTEM_NAMESPACE}}]}))
        return path

    # ---- contents ----

    def kubectl(self, *arguments, text=None):
        done = subprocess.run([cluster_program("kubectl"), "--kubeconfig", str(self.kubeconfig("tester")), *arguments],
                              input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def install(self):
        """The CRD, and the rights that the chart gives: read from its rendered golden, so that they are the real ones."""
        self.namespace(SYSTEM_NAMESPACE, wait=False)
        rendered = (ROOT / "tests/golden/helm/cases/default/expected.yaml").read_text().split("\n---\n")
        rights = [d for d in rendered if "\nkind: ClusterRole" in d or "\nkind: Role" in d]
        assert len(rights) >= 4, "the golden of the chart holds no RBAC"
        crds = "\n---\n".join(p.read_text() for p in sorted((ROOT / "crds").glob("*.yaml")))
        self.kubectl("apply", "--server-side", "-f", "-", text=crds + "\n---\n" + "\n---\n".join(rights))
        wait_until("the CRD to be served", 20, lambda: self.api.get("/apis/build.stagewright.dev/v1alpha1/imagebuilds"))
        # The claims of runs stay unbound: the stand-in mounts nothing, and nothing here needs a volume.
        self.api.create("/apis/storage.k8s.io/v1/storageclasses", {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer",
            "metadata": {"name": "none", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}})

    def namespace(self, name, labels=None, wait=True):
        self.api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})
        if wait:
            wait_until(f"the default account of {name}", 20, lambda: self.api.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"))

    # ---- disturbances ----

    def rules(self, *rules):
        """How pods behave from now on; see `rule` in standin/kubelet.go."""
        order(KUBELET_ORDERS, "PUT", "/rules", list(rules))

    def set_node(self, name, state):
        """`dead`: it says and does nothing any more. `alive`: it is back."""
        order(KUBELET_ORDERS, "PUT", f"/nodes/{name}/{state}")

    def compact(self):
        """Forgets all history of etcd."""
        def ask(path, body):
            connection = http.client.HTTPConnection("127.0.0.1", 2379, timeout=10)
            connection.request("POST", path, json.dumps(body))
            return json.loads(connection.getresponse().read())
        revision = ask("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        ask("/v3/kv/compaction", {"revision": revision, "physical": True})

    def replace_apiserver(self, seconds):
        """SIGKILL, and so many seconds later another one serves the same port. That one has started before, as starting takes
        longer; until it is its turn it is stopped, so who connects meanwhile waits."""
        old = self.processes["kube-apiserver"]
        self.start_apiserver()
        young, answers = self.processes["kube-apiserver"], 0
        listening = f":{API_PORT:04X} 00000000:0000 0A"
        wait_until("the second API server to listen", 60, lambda: pathlib.Path("/proc/net/tcp").read_text().count(listening) == 2, 0.05)

        # Each connection goes to one of the two by chance: thirty good answers in a row come from both.
        def both_answer():
            nonlocal answers
            try:
                answers = answers + 1 if self.api.request("GET", "/readyz") == "ok" else 0
            except (OSError, ApiError, http.client.HTTPException):
                answers = 0
            return answers == 30
        wait_until("the second API server", 60, both_answer, 0.05)
        young.send_signal(signal.SIGSTOP)
        old.kill()
        old.wait()
        time.sleep(seconds)
        young.send_signal(signal.SIGCONT)

    def restart_apiserver(self, seconds):
        """SIGKILL, and back so many seconds later (its own start included, as far as it takes less). Gives how long it was away."""
        killed = time.monotonic()
        self.kill("kube-apiserver")
        time.sleep(max(0, seconds - self.start_takes))
        self.start_apiserver()
        self.wait_ready()
        away = time.monotonic() - killed
        print(f"the API server was away for {away:.1f} s")
        return away
