"""How builds reach the world: proxies and certificates."""
import json

from gitserver import ADDRESS, GitServer
from harness import BASE_REGISTRY, BUSYBOX, PUSH_REGISTRY, Namespace, condition, image_build, wait_until
from proxyserver import ProxyServer
from registry import Image

ECHO = 'echo "http=$http_proxy HTTP=$HTTP_PROXY https=$HTTPS_PROXY no=$no_proxy end"'


def test_a_proxy_is_used_by_prepare_publish_and_run_and_leaves_no_trace():
    with Namespace("proxy") as ns, GitServer() as git, ProxyServer() as proxy:
        url, _ = git.repository("shop", {"Dockerfile": f"FROM {BUSYBOX}\nARG http_proxy\nRUN {ECHO}\nADD {git.file('added', 'x')} /\n"})
        spec = {"source": {"git": {"url": url}}, "retention": {"pods": "Always"}}
        ns.build("app", proxy={"http": proxy.url, "https": "http://proxy.invalid:3128"}, **spec)
        ns.succeeded("app")
        asked = proxy.asked()
        for wanted in (f"GET {url}/info/refs", f"GET {git.url}/added", f"GET http://{BASE_REGISTRY}/v2/", f"PUT http://{PUSH_REGISTRY}/v2/"):
            assert any(line.startswith(wanted) for line in asked), (wanted, asked)
        assert f"http={proxy.url} HTTP={proxy.url} https=http://proxy.invalid:3128 no= end" in ns.logs("app", "0")
        image = Image(f"{PUSH_REGISTRY}/{ns.name}/app:1")
        for part in (image.config, image.manifest):
            assert proxy.url not in json.dumps(part) and "proxy.invalid" not in json.dumps(part), part
        # Who is excepted is asked directly, and a build argument of the user's wins.
        before = len(proxy.asked())
        ns.build("direct", proxy={"http": proxy.url, "noProxy": f"{ADDRESS},.svc"}, **spec,
                 buildArgs=[{"name": "HTTP_PROXY", "value": "http://mine.example:1"}])
        ns.succeeded("direct")
        assert proxy.asked()[before:] == [], proxy.asked()[before:]
        assert f"http=http://mine.example:1 HTTP=http://mine.example:1 https= no={ADDRESS},.svc end" in ns.logs("direct", "0")


def test_a_proxy_with_credentials_is_refused():
    with Namespace("proxyurl") as ns:
        for url, words in (("http://user:word@proxy.example:3128", "credentials in a URL are refused"), ("proxy.example:3128", "must be an https:// or http:// URL")):
            message = ns.refused(image_build("bad", ns.name, dockerfileInline="FROM scratch\n", proxy={"https": url}))
            assert words in message, message
        alone = ns.refused(image_build("bad", ns.name, dockerfileInline="FROM scratch\n", proxy={"noProxy": "a"}))
        assert "noProxy needs http or https" in alone, alone


def test_own_authorities_are_trusted_by_prepare_and_by_run_if_asked():
    with Namespace("authority") as ns, GitServer(tls=True) as git:
        run = "RUN echo file=$SSL_CERT_FILE count=$(grep -c BEGIN $SSL_CERT_FILE) end; test -z \"$SSL_CERT_FILE\" || cat $SSL_CERT_FILE > /dev/null"
        url, commit = git.repository("shop", {"Dockerfile": f"FROM {BUSYBOX}\nADD {git.file('added', 'x')} /\n{run}\nUSER 1234\n{run}\n"})
        spec = {"source": {"git": {"url": url}}, "retention": {"pods": "Always"}}
        ns.build("stranger", **spec)
        wait_until("the certificate to be named", 90, lambda: "certificate" in condition(ns.status("stranger"), "Ready")["message"])
        trusted = {"configMapKeyRef": {"name": "corp-ca", "key": "ca.pem"}}
        ns.build("late", trustedCA=trusted, **spec)
        late = wait_until("the ConfigMap to be missed", 60, lambda: (lambda m: m if "corp-ca" in m else None)(condition(ns.status("late"), "Ready")["message"]))
        assert "spec.trustedCA" in late, late
        ns.config_map("corp-ca", {"ca.pem": git.certificate})
        assert ns.succeeded("late")["run"]["sourceRevision"] == commit
        assert "file= count=" in ns.logs("late", "0")
        ns.build("app", trustedCA={**trusted, "inRun": "Env"}, **spec)
        ns.succeeded("app")
        log = ns.logs("app", "0")
        told = [line for line in log.splitlines() if "file=/.stagewright/" in line and "count=" in line and "$" not in line]
        assert len(told) == 2 and all(int(line.split("count=")[1].split()[0]) > 1 for line in told), log
        with_ca, without = (Image(f"{PUSH_REGISTRY}/{ns.name}/{name}:1") for name in ("app", "late"))
        assert with_ca.config["config"] == without.config["config"]
        strip = lambda image: [{k: v for k, v in entry.items() if k != "created"} for entry in image.config["history"]]
        assert strip(with_ca) == strip(without)
        assert set(with_ca.tree()) == set(without.tree())
