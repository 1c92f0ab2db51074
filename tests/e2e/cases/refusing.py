"""Bad input gets a clear answer, and nothing is lost: one case per row of the table in the first issue."""
import json

import harness
from gitserver import GitServer, OtherPort
from harness import BASE_REGISTRY, BUSYBOX, PUSH_REGISTRY, Namespace, condition, image_build, stage_pods, wait_until


def test_dockerfile_errors_have_place_and_caret():
    bad = {
        "syntax": (f"FROM {BUSYBOX}\nCOPY --from /app .\n", "Dockerfile:2:"),
        "unknown": (f"FROM {BUSYBOX}\nFETCH x\n", "unknown instruction: FETCH"),
        "stage": (f"FROM {BUSYBOX} AS builder\nFROM scratch\nCOPY --from=bilder /x /\n", "Dockerfile:3:"),
        "empty": ("# nothing\n", "no instructions"),
    }
    with Namespace("dockerfile") as ns:
        for name, (text, _) in bad.items():
            ns.inline(name, text)
        for name, (_, wanted) in bad.items():
            failure = ns.failed(name, "DockerfileInvalid", timeout=240)
            assert wanted in failure["message"], failure
            if name != "empty":
                assert "^" in failure["message"] and " | " in failure["message"], failure
            if name == "stage":
                assert "did you mean stage `builder`?" in failure["message"], failure
            assert not stage_pods(ns.name, name), "a stage pod was made"


def test_places_that_do_not_exist():
    with Namespace("places") as ns:
        ns.with_context("nofile", {"readme": "x"})
        ns.with_context("nodir", {"Dockerfile": f"FROM {BUSYBOX}\n"}, contextDir="no/such")
        assert "Dockerfile" in ns.failed("nofile", "DockerfileNotFound")["message"]
        assert "no/such" in ns.failed("nodir", "ContextDirNotFound")["message"]


def test_api_server_refuses():
    with Namespace("schema") as ns:
        def with_spec(**spec):
            return image_build("bad", ns.name, **spec)
        inline = {"dockerfileInline": "FROM scratch\n"}
        sources = {"git": {"url": "https://git.example/a.git"}, "configMap": {"name": "x"}}
        rows = [
            (with_spec(source=sources), "source"),
            (with_spec(**inline, contextDir="../up"), "contextDir"),
            (with_spec(**inline, contextDir="/abs"), "contextDir"),
            (with_spec(source={"configMap": {"name": "x"}}, dockerfile="../Dockerfile"), "dockerfile"),
            (with_spec(source={"git": {"url": "https://user:pw@git.example/a.git"}}), "url"),
            (with_spec(**inline, target=7), "target"),
            (with_spec(**inline, output={"repository": f"{PUSH_REGISTRY}/a", "tags": [1.8]}), "tags"),
            (with_spec(**inline, outputs={}), "outputs"),
            (with_spec(), "dockerfileInline"),
            (with_spec(**inline, timeout="soon"), "timeout"),
        ]
        for obj, word in rows:
            message = ns.refused(obj)
            assert word in message, f"{json.dumps(obj['spec'])}: {message}"
        long = image_build("n" * 41, ns.name, **inline)
        assert "40" in ns.refused(long)


def test_base_images_missing_and_forbidden():
    with Namespace("bases") as ns:
        ns.inline("missing", f"FROM {BASE_REGISTRY}/no/such:1\nRUN true\n")
        ns.inline("forbidden", f"FROM {PUSH_REGISTRY}/private/base:1\nRUN true\n")
        failure = ns.failed("missing", "BaseImageNotFound")
        assert "no/such" in failure["message"] and BASE_REGISTRY in failure["message"], failure
        failure = ns.failed("forbidden", "BaseImageUnauthorized", timeout=300)
        assert "private/base" in failure["message"] and PUSH_REGISTRY in failure["message"], failure


def test_run_fails():
    with Namespace("run") as ns:
        ns.inline("three", f"FROM {BUSYBOX}\nRUN echo fine\nRUN echo before the end; exit 3\n")
        failure = ns.failed("three", "StageFailed")
        assert failure["exitCode"] == 3 and failure["line"] == 3, failure
        assert failure["instruction"].startswith("RUN echo before"), failure
        assert "before the end" in failure["logTail"], failure


def test_run_out_of_memory():
    with Namespace("oom") as ns:
        ns.inline("oom", f"FROM {BUSYBOX}\nRUN tail /dev/zero\n",
                  execution={"resources": {"limits": {"memory": "64Mi"}}})
        failure = ns.failed("oom", "StageOOMKilled")
        assert "64Mi" in failure["message"], failure


def test_push_refused_is_known_before_the_first_run_ends():
    with Namespace("push") as ns:
        ns.registry_secret("wrong", "nobody", "wrong")
        ns.inline("refused", f"FROM {BUSYBOX}\nRUN sleep 240\n",
                  output={"image": f"{PUSH_REGISTRY}/{ns.name}/x:1", "secretRef": {"name": "wrong"}})
        failure = ns.failed("refused", "PushUnauthorized", timeout=200)
        assert PUSH_REGISTRY in failure["message"], failure


def test_push_secret_missing_and_malformed():
    with Namespace("secret") as ns:
        ns.registry_secret("broken", "", "", raw='{"auths": 7}')
        for name, secret in (("missing", "none-such"), ("malformed", "broken")):
            ns.inline(name, f"FROM {BUSYBOX}\nRUN sleep 200\n",
                      output={"image": f"{PUSH_REGISTRY}/{ns.name}/{name}:1", "secretRef": {"name": secret}})
        for name, secret in (("missing", "none-such"), ("malformed", "broken")):
            failure = ns.failed(name, "CredentialsNotFound", timeout=240)
            assert f'the Secret "{secret}" (spec.output.secretRef)' in failure["message"], failure


def test_node_cannot_pull_what_prepare_could():
    # Another port of the same registry: the nodes do not know that it speaks plain HTTP, our own requests are told so.
    with OtherPort(BASE_REGISTRY) as name, Namespace("pull") as ns:
        ns.inline("pull", f"FROM {name}/busybox:latest\nRUN true\n",
                  registries=[{"host": name, "tls": "PlainHTTP"}, {"host": PUSH_REGISTRY, "tls": "PlainHTTP"}])
        failure = ns.failed("pull", "NodeCannotPull", timeout=300)
        assert "registry configuration" in failure["message"] and name in failure["message"], failure


def test_git_failures_and_links_that_leave():
    with GitServer("reader", "s3cret") as server, Namespace("git") as ns:
        url, _ = server.repository("shop", {"Dockerfile": f"FROM {BUSYBOX}\nCOPY . /ctx/\n", "ok": "ok"},
                                   links={"leak": "/etc/passwd", "up": "../../../../etc/shadow"})
        for name, password in (("ro", "s3cret"), ("bad", "guess")):
            ns.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/basic-auth",
                      "stringData": {"username": "reader", "password": password}})
        git = lambda **kw: {"git": {"url": url, "secretRef": {"name": "ro"}, **kw}}
        ns.build("nourl", source=git(url=f"{server.url}/none.git"))
        ns.build("nobranch", source=git(ref={"branch": "no-such"}))
        ns.build("nopassword", source=git(secretRef={"name": "bad"}))
        ns.build("links", source=git())
        ns.failed("nourl", "SourceNotFound")
        assert "no-such" in ns.failed("nobranch", "SourceRevisionNotFound")["message"]
        ns.failed("nopassword", "SourceAuthFailed", timeout=300)
        ns.succeeded("links")
        from registry import Image
        info, data = Image(f"{PUSH_REGISTRY}/{ns.name}/links:1").tree()["ctx/leak"]
        assert info.issym() and data is None, "the link was followed out of the context"


def test_a_dockerfile_that_is_a_link_out_of_the_context():
    with GitServer() as server, Namespace("link") as ns:
        url, _ = server.repository("shop", {"ok": "ok"}, links={"Dockerfile": "/etc/passwd"})
        ns.build("leave", source={"git": {"url": url}})
        failure = ns.failed("leave", "DockerfileNotFound")
        assert "root:" not in failure["message"], failure


def test_pod_security_denial():
    with Namespace("denied") as ns:
        harness.kubectl("label", "namespace", ns.name, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
        ns.inline("denied", f"FROM {BUSYBOX}\nRUN true\n")
        failure = ns.failed("denied", "AdmissionDenied")
        assert "PodSecurity" in failure["message"], failure


def test_quota_waits_and_says_so():
    with Namespace("quota") as ns:
        ns.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
        ns.inline("waits", f"FROM {BUSYBOX}\nRUN echo x > /x\n")
        ready = wait_until("the quota to be named", 60, lambda: (lambda c: c if c["reason"] == "QuotaExceeded" else None)(
            condition(ns.status("waits"), "Ready")))
        assert ready["status"] == "Unknown" and "quota" in ready["message"], ready
        harness.kubectl("delete", "resourcequota", "none", "-n", ns.name)
        ns.succeeded("waits")


def test_unsupported_instruction_flags_are_refused_not_ignored():
    with Namespace("flags") as ns:
        ns.inline("security", f"FROM {BUSYBOX}\nRUN --security=insecure true\n")
        failure = ns.failed("security", "DockerfileInvalid")
        assert "Dockerfile:2:" in failure["message"] and "^" in failure["message"], failure


def test_a_run_that_outlives_the_timeout():
    with Namespace("timeout") as ns:
        ns.inline("slow", f"FROM {BUSYBOX}\nRUN sleep 300\n", timeout="12s")
        failure = ns.failed("slow", "BuildTimeout", timeout=120)
        assert "12s" in failure["message"], failure


def test_add_reaches_no_inside_address():
    """A Dockerfile cannot make prepare ask the metadata server, its own machine or the API server."""
    api = harness.kubectl("get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}").stdout
    with GitServer() as server, Namespace("inside") as ns:
        bad = {"metadata": ("http://169.254.169.254/latest/meta-data/", "link-local"),
               "loopback": ("http://localhost:10248/healthz", "loopback"),
               "api": (f"https://{api}/version", "the API server"),
               "redirect": (f"{server.url}/to/http://127.0.0.1:10248/healthz", "loopback"),
               "git": ("http://127.0.0.1/x.git", "loopback")}
        for name, (url, _) in bad.items():
            ns.inline(name, f"FROM {BUSYBOX}\nADD {url} /x\n")
        ns.inline("gone", f"FROM {BUSYBOX}\nADD {server.url}/no-such /x\n")
        for name, (url, kind) in bad.items():
            failure = ns.failed(name, "PolicyViolation", timeout=240)
            assert kind in failure["message"] and failure["line"] == 2 and failure["class"] == "Policy", failure
        failure = ns.failed("gone", "SourceNotFound", timeout=240)
        assert "404" in failure["message"] and "Dockerfile:2:5" in failure["message"], failure
