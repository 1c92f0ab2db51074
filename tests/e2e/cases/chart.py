"""The chart on a real cluster: upgraded, uninstalled and installed again with builds in flight; what its policies and
permissions allow. These cases change the release that every other case uses, so they run alone, and put it back."""
import contextlib
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import harness
from harness import BUSYBOX, GROUP, SYSTEM_NAMESPACE, Namespace, condition, get, items, kubectl, wait_until

RELEASE = "stagewright"
CHART = pathlib.Path(__file__).resolve().parents[3] / "helm" / "stagewright"
ACCOUNT = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{RELEASE}"
# The join needs both, so the run lives for as long as the operator is away.
SLOW = (f"FROM {BUSYBOX} AS a\nRUN sleep {{seconds}}; echo a > /a\nFROM {BUSYBOX} AS b\nRUN sleep 2; echo b > /b\n"
        "FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n")


def helm(*args, check=True):
    if not shutil.which("helm"):
        raise harness.Skip("there is no helm")
    done = subprocess.run(["helm", *args, "--namespace", SYSTEM_NAMESPACE], capture_output=True, text=True, timeout=300)
    if check and done.returncode != 0:
        raise AssertionError(f"helm {' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}")
    return done


@contextlib.contextmanager
def release():
    """Gives a function that upgrades the release with further settings; afterwards it is as it was."""
    found = helm("get", "values", RELEASE, "-o", "json", check=False)
    if found.returncode != 0:
        raise harness.Skip(f"there is no release {RELEASE} in {SYSTEM_NAMESPACE}: {found.stderr.strip()}")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as values:
        values.write(found.stdout)
        values.flush()

        def upgrade(*settings, chart=CHART):
            flags = [part for s in settings for part in ("--set", s)]
            helm("upgrade", "--install", RELEASE, str(chart), "--reset-values", "--values", values.name, *flags,
                 "--wait", "--timeout", "3m")
        try:
            yield upgrade
        finally:
            upgrade()


def start_slow_builds(ns, names, seconds):
    """Builds that are in the middle of a RUN; gives their run ids."""
    for name in names:
        ns.inline(name, SLOW.format(seconds=seconds))
    runs = {}
    for name in names:
        wait_until(f"{name} to run a stage", 90, lambda: any(
            s.get("state") == "Running" for s in ns.status(name).get("stages", [])))
        runs[name] = ns.status(name)["run"]["id"]
    return runs


def assert_not_lost(ns, runs):
    """Every build ended well, in the run and with the attempts that it had."""
    for name, run in runs.items():
        status = ns.succeeded(name, 300)
        assert status["run"]["id"] == run, f"{name}: run {run} became {status['run']['id']}"
        attempts = {s["name"]: s["attempt"] for s in status["stages"]}
        assert set(attempts.values()) == {1}, f"{name}: {attempts}"


def may(verb, resource, *more, user=ACCOUNT):
    resource, _, subresource = resource.partition("/")
    return kubectl("auth", "can-i", verb, resource, f"--subresource={subresource}", f"--as={user}", *more, check=False).stdout.strip() == "yes"


def test_upgrade_with_builds_in_flight():
    with release() as upgrade, Namespace("upgrade") as ns:
        runs = start_slow_builds(ns, ["b0", "b1", "b2"], 60)
        upgrade("replicas=2", "operator.logLevel=debug", "priorityClass.create=true", "flowSchemas.enabled=true")
        deployment = get("deployment", RELEASE, SYSTEM_NAMESPACE)
        assert deployment["status"]["availableReplicas"] == 2, deployment["status"]
        assert any(not condition(b["status"], "Finished")["status"] == "True" for b in items("imgb", ns.name)), \
            "every build had ended before the upgrade was through: nothing was shown"
        # The disruption controller counts in its own time.
        wait_until("the PodDisruptionBudget to count both replicas", 60, lambda: get(
            "poddisruptionbudget", RELEASE, SYSTEM_NAMESPACE).get("status", {}).get("expectedPods") == 2)
        assert_not_lost(ns, runs)


def test_upgrade_reaches_the_crd():
    described = lambda: get("crd", f"imagebuilds.{GROUP}")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"]
    now = described()
    with release() as upgrade, tempfile.TemporaryDirectory() as directory, Namespace("crd") as ns:
        older = pathlib.Path(directory) / "stagewright"
        shutil.copytree(CHART, older)  # the link to crds/ becomes a copy
        file = older / "files" / "crds" / "imagebuilds.yaml"
        text = file.read_text()
        assert "An ImageBuild says" in text
        file.write_text(text.replace("An ImageBuild says", "Once an ImageBuild said"))
        upgrade(chart=older)
        assert "Once an ImageBuild said" in described()
        ns.inline("kept", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n")
        before = ns.succeeded("kept")
        upgrade()
        assert described() == now, described()
        assert ns.status("kept") == before, "an upgrade of the CRD touched a status"


def test_uninstall_and_install_with_builds_in_flight():
    with release() as upgrade, Namespace("reinstall") as ns:
        runs = start_slow_builds(ns, ["b0", "b1", "b2"], 60)
        helm("uninstall", RELEASE, "--wait")
        assert get("crd", f"imagebuilds.{GROUP}") and len(items("imgb", ns.name)) == 3, "the CRD went with the release"
        assert not get("deployment", RELEASE, SYSTEM_NAMESPACE)
        assert not any(condition(b["status"], "Finished")["status"] == "True" for b in items("imgb", ns.name)), \
            "a build ended before the operator was gone: nothing was shown"
        upgrade()
        assert_not_lost(ns, runs)


def test_namespaced_mode():
    with release() as upgrade, Namespace("ours") as ours, Namespace("theirs") as theirs:
        upgrade(f"namespaces={{{ours.name}}}", "rbac.clusterReads=false", "metrics.secure=false")
        for resource in ("nodes", "pods", "imagebuilds", "persistentvolumeclaims"):
            assert not may("list", resource, "-A"), f"the operator may list {resource} everywhere"
        assert may("create", "pods", "-n", ours.name) and not may("create", "pods", "-n", theirs.name)
        theirs.inline("shop", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n")
        ours.inline("shop", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n")
        status = ours.succeeded("shop")
        assert status["run"]["isolation"] == "Baseline", "without nodes to read, Auto is Baseline"
        assert theirs.status("shop") == {"observedGeneration": -1}, "a build of another namespace was touched"
        # More than one pod may be there yet: the one before may not have ended.
        log = kubectl("logs", "-n", SYSTEM_NAMESPACE, f"deploy/{RELEASE}", "--all-pods").stdout
        assert "nodes may not be read" in log, log
        upgrade()
        theirs.succeeded("shop")


def test_pods_carry_only_the_metadata_that_is_allowed():
    wanted = {"podMetadata": {"labels": {"cost.example/team": "a"}, "annotations": {"cost.example/why": "release"}}}
    with release() as upgrade, Namespace("metadata") as ns:
        ns.inline("refused", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n", execution=wanted)
        failure = ns.failed("refused", "PolicyViolation")
        assert "spec.execution.podMetadata.labels" in failure["message"] and "cost.example/team" in failure["message"], failure
        assert not items("pods", ns.name)
        upgrade("builds.podMetadataPrefixes={cost.example/}")
        ns.inline("allowed", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n", execution=wanted, retention={"pods": "Always"})
        ns.succeeded("allowed")
        pods = [p["metadata"] for p in items("pods", ns.name)]
        assert len(pods) == 3 and all(p["labels"].get("cost.example/team") == "a" and p["annotations"].get("cost.example/why") == "release" for p in pods), pods


def test_operator_cannot_read_secrets():
    for verb in ("get", "list", "watch", "create", "update", "patch", "delete"):
        assert not may(verb, "secrets", "-A") and not may(verb, "secrets", "-n", SYSTEM_NAMESPACE), f"it may {verb} Secrets"
    for verb, resource in (("create", "pods/exec"), ("patch", "nodes"), ("create", "serviceaccounts/token"), ("escalate", "clusterroles"),
                           ("bind", "clusterroles"), ("impersonate", "users"), ("update", "pods"), ("patch", "imagebuilds")):
        assert not may(verb, resource, "-A"), f"it may {verb} {resource}"


def as_jane(*args, **more):
    return kubectl("--as=jane", "--as-group=system:authenticated", *args, **more)


def refused_to_jane(why, *args, **more):
    done = as_jane(*args, check=False, **more)
    assert done.returncode != 0, f"kubectl {' '.join(args)} was allowed"
    assert why in done.stderr, f"kubectl {' '.join(args)}: {done.stderr}"


def labelled(kind, name, spec):
    return json.dumps({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": {f"{GROUP}/run": "aaaaaaaaaa"}}, "spec": spec})


def type_check(policy):
    """The status of an admission policy, once the API server has looked at the policy as it is now."""
    found = get("validatingadmissionpolicy", policy)
    status = found.get("status", {})
    return status if status.get("observedGeneration") == found["metadata"]["generation"] else None


def test_admission_policy():
    policy = get("validatingadmissionpolicy", f"{RELEASE}-children")
    if policy is None:
        raise harness.Skip("the release has no admission policy")
    for name in ("children", "connect"):
        found = wait_until(f"the types of policy {name} to be checked", 60, lambda: type_check(f"{RELEASE}-{name}"))
        assert not found.get("typeChecking", {}).get("expressionWarnings"), found
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
           "containers": [{"name": "c", "image": BUSYBOX, "command": ["sleep", "600"]}]}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    with Namespace("policy") as ns:
        kubectl("create", "rolebinding", "jane", "--clusterrole=edit", "--user=jane", "-n", ns.name)
        # What the role edit allows is what teams have: ImageBuilds (aggregated), pods, exec. kubectl debug needs one more.
        kubectl("create", "role", "debug", "--verb=get,patch,update", "--resource=pods/ephemeralcontainers", "-n", ns.name)
        kubectl("create", "rolebinding", "jane-debug", "--role=debug", "--user=jane", "-n", ns.name)
        manifest = harness.image_build("shop", ns.name, dockerfileInline=f"FROM {BUSYBOX}\nRUN sleep 30; echo 1 > /a\n")
        manifest["metadata"]["namespace"] = ns.name
        as_jane("apply", "-f", "-", input=json.dumps(manifest))
        refused_to_jane("only the operator makes pods", "create", "-n", ns.name, "-f", "-", input=labelled("Pod", "forged", pod))
        refused_to_jane("only the operator makes pods", "create", "-n", ns.name, "-f", "-", input=labelled("PersistentVolumeClaim", "forged", claim))
        as_jane("create", "-n", ns.name, "-f", "-", input=json.dumps(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "own"}, "spec": pod}))
        refused_to_jane("belong to the operator", "label", "pod", "own", f"{GROUP}/run=aaaaaaaaaa", "-n", ns.name)
        stage = wait_until("the stage to run", 90, lambda: next((s["pod"] for s in ns.status("shop").get("stages", [])
                                                                 if s.get("state") == "Running"), None))
        refused_to_jane("belong to the operator", "label", "pod", stage, f"{GROUP}/run-", "-n", ns.name)
        refused_to_jane("belong to the operator", "label", "pod", stage, f"{GROUP}/attempt=7", "--overwrite", "-n", ns.name)
        refused_to_jane("images of a build's pods", "set", "image", f"pod/{stage}", f"stage={BUSYBOX}", "-n", ns.name)
        refused_to_jane("owner of a build's pods", "patch", "pod", stage, "-n", ns.name, "--type=merge", "-p", '{"metadata":{"ownerReferences":null}}')
        for role in (stage, f"shop-{ns.status('shop')['run']['id']}-publish-1"):
            refused_to_jane("nobody steps into", "exec", role, "-n", ns.name, "--", "id")
            refused_to_jane("nobody steps into", "attach", role, "-n", ns.name)
            refused_to_jane("nobody steps into", "debug", role, "-n", ns.name, "--profile=baseline", f"--image={BUSYBOX}", "--", "id")
        as_jane("annotate", "pod", stage, "example.test/note=fine", "-n", ns.name)
        wait_until("jane's own pod", 60, lambda: get("pod", "own", ns.name)["status"].get("phase") == "Running")
        assert "uid=0" in as_jane("exec", "own", "-n", ns.name, "--", "id").stdout
        ns.succeeded("shop")


def test_every_object_is_accepted():
    """What the local release does not use is at least what the API server takes: a dry run on the server, with everything on."""
    with Namespace("render") as ns:
        rendered = helm("template", RELEASE, str(CHART), "--kube-version", "1.36.0", "--api-versions", "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
                        "--set", f"replicas=2,namespaces={{{ns.name}}},networkPolicy.enabled=true,flowSchemas.enabled=true",
                        "--set", f"buildNetworkPolicy.namespaces={{{ns.name}}},priorityClass.create=true,metrics.dashboard.enabled=true",
                        "--set", "buildNetworkPolicy.allowed[0].cidr=10.0.0.5/32,buildNetworkPolicy.allowed[0].ports[0]=5000",
                        "--set", "buildNetworkPolicy.publishInternet=false,fullnameOverride=dry,metrics.certificateSecret=some")
        # The CRD belongs to the release that is there.
        wanted = "---\n".join(d for d in rendered.stdout.split("---\n") if "kind: CustomResourceDefinition" not in d)
        made = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", input=wanted).stdout.splitlines()
        kinds = {line.split("/")[0].split(".")[0] for line in made}
        for kind in ("networkpolicy", "flowschema", "prioritylevelconfiguration", "priorityclass", "poddisruptionbudget",
                     "validatingadmissionpolicy", "validatingadmissionpolicybinding", "configmap", "deployment", "role"):
            assert kind in kinds, made
        assert sum(line.startswith("networkpolicy") for line in made) == 4, made


@contextlib.contextmanager
def forwarded(port):
    """A local port to the operator's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        local = free.getsockname()[1]
    process = subprocess.Popen(["kubectl", "port-forward", "-n", SYSTEM_NAMESPACE, f"deploy/{RELEASE}", f"{local}:{port}"],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert "Forwarding" in process.stdout.readline()
        yield local
    finally:
        process.terminate()
        process.wait()


def scrape(port, token=None):
    """Status and text of /metrics."""
    request = urllib.request.Request(f"https://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_metrics_need_the_right():
    arguments = get("deployment", RELEASE, SYSTEM_NAMESPACE)["spec"]["template"]["spec"]["containers"][0]["args"]
    if "--metrics-auth=true" not in arguments:
        raise harness.Skip("the release serves metrics to everybody")
    with Namespace("scrape") as ns, forwarded(8443) as port:
        for account in ("prometheus", "guest"):
            kubectl("create", "serviceaccount", account, "-n", ns.name)
        binding = f"e2e-{ns.name}"
        kubectl("create", "clusterrolebinding", binding, f"--clusterrole={RELEASE}-metrics-reader", f"--serviceaccount={ns.name}:prometheus")
        try:
            tokens = {a: kubectl("create", "token", a, "-n", ns.name).stdout.strip() for a in ("prometheus", "guest")}
            assert scrape(port)[0] == 401
            assert scrape(port, "made-up")[0] == 401
            assert scrape(port, tokens["guest"])[0] == 403
            status, text = scrape(port, tokens["prometheus"])
            assert status == 200, text
            for name in ("stagewright_builds{", "stagewright_builds_finished_total{", "controller_runtime_reconcile_total{",
                         'leader_election_master_status{name="stagewright-operator"} 1'):
                assert name in text, f"{name} is not in\n{text}"
        finally:
            kubectl("delete", "clusterrolebinding", binding)


# What is tried for each permission beyond one build, and what else shows that it is missed than the API server's words
# in the operator's log or in a build's status. imagebuilds/finalizers is asked for by an admission plugin that this API
# server has not got; Events are only repeated after a crash. A server before Kubernetes 1.32 is asked to list; this one streams
# what there is through a watch.
NOT_SEEN_HERE = {("imagebuilds/finalizers", "update"), ("events", "patch")}
NOT_ASKED_HERE = {"list"}


def permissions():
    """(kind, name, index of the rule, resource, verb) of everything the operator may do."""
    for kind, scope in (("clusterrole", None), ("role", SYSTEM_NAMESPACE)):
        role = get(kind, RELEASE, scope)
        for index, rule in enumerate(role["rules"]):
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield kind, index, resource, verb


@contextlib.contextmanager
def without(kind, index, resource, verb):
    scope = ["-n", SYSTEM_NAMESPACE] if kind == "role" else []
    role = get(kind, RELEASE, SYSTEM_NAMESPACE if kind == "role" else None)
    rule = role["rules"][index]
    rest = [{**rule, "resources": [r for r in rule["resources"] if r != resource]},
            {**rule, "resources": [resource], "verbs": [v for v in rule["verbs"] if v != verb]}]
    rules = role["rules"][:index] + [r for r in rest if r["resources"] and r["verbs"]] + role["rules"][index + 1:]
    patch = lambda wanted: kubectl("patch", kind, RELEASE, *scope, "--type=json", "-p",
                                   json.dumps([{"op": "replace", "path": "/rules", "value": wanted}]))
    patch(rules)
    try:
        yield
    finally:
        patch(role["rules"])


def restart_operator():
    """A new pod; gives its name."""
    old = {p["metadata"]["name"] for p in items("pods", SYSTEM_NAMESPACE, "app.kubernetes.io/name=stagewright")}
    kubectl("delete", "pod", "-n", SYSTEM_NAMESPACE, "-l", "app.kubernetes.io/name=stagewright", "--grace-period=1", "--wait=false")
    fresh = lambda: next((p["metadata"]["name"] for p in items("pods", SYSTEM_NAMESPACE, "app.kubernetes.io/name=stagewright")
                          if p["metadata"]["name"] not in old and p["status"].get("phase") == "Running"), None)
    return wait_until("a new operator", 60, fresh)


def provoke(ns, resource, verb):
    """Does what needs the permission."""
    if (resource, verb) == ("leases", "create"):
        kubectl("delete", "lease", "-n", SYSTEM_NAMESPACE, "stagewright-operator", check=False)
    name = f"{resource.split('/')[0][:4]}-{resource.split('/')[-1][:4]}-{verb}"
    spec = {"workspace": {"claimName": "own"}} if (resource, verb) == ("persistentvolumeclaims", "get") else {}
    if (resource, verb) == ("imagebuilds", "delete"):
        spec = {"retention": {"ttlAfterFinished": "1s"}}
    ns.inline(name, f"FROM {BUSYBOX}\nRUN sleep {20 if verb in ('get', 'delete') and resource == 'pods' else 0}; echo 1 > /a\n", **spec)
    if resource == "pods" and verb in ("get", "delete"):
        stage = wait_until("the stage to run", 60, lambda: next((s["pod"] for s in ns.status(name).get("stages", [])
                                                                 if s.get("state") == "Running"), None))
        if verb == "get":  # a pod that is gone is looked for before it is replaced
            kubectl("delete", "pod", stage, "-n", ns.name, "--force", "--grace-period=0")
        else:
            kubectl("annotate", "imgb", name, "-n", ns.name, f"{GROUP}/cancel={ns.status(name)['run']['id']}")
    return name


def test_every_permission_is_needed():
    """Each verb of each rule is taken away, and the API server's refusal must show in the log or in a status. What nobody misses is too much."""
    unneeded, tried = [], 0
    with release() as upgrade, Namespace("rights") as ns:
        upgrade("operator.logLevel=debug", "metrics.secure=false")
        kubectl("create", "-n", ns.name, "-f", "-", input=json.dumps(
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "own", "labels": {f"{GROUP}/workspace": ""}},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}}))
        for kind, index, resource, verb in list(permissions()):
            if (resource, verb) in NOT_SEEN_HERE or verb in NOT_ASKED_HERE:
                continue
            words = (f'cannot {verb} resource "{resource}"', f'cannot {verb} resource \\"{resource}\\"')
            with without(kind, index, resource, verb):
                pod = restart_operator()
                name = provoke(ns, resource, verb)

                def missed():
                    said = kubectl("logs", "-n", SYSTEM_NAMESPACE, pod, check=False).stdout + json.dumps(ns.status(name))
                    return any(w in said for w in words)
                deadline = time.monotonic() + 40
                while not missed() and time.monotonic() < deadline:
                    time.sleep(0.5)
                tried += 1
                if not missed():
                    unneeded.append(f"{verb} {resource}")
                print(f"without {verb} {resource}: {'missed' if missed() else 'NOT missed'}", flush=True)
            kubectl("delete", "imgb", name, "-n", ns.name, "--wait=false", "--ignore-not-found")
        restart_operator()
        ns.inline("after", f"FROM {BUSYBOX}\nRUN echo 1 > /a\n")
        ns.succeeded("after")
    assert tried >= 15 and not unneeded, f"nobody misses: {', '.join(unneeded)}"
