"""How builds reach the world: proxies."""
import json

from gitserver import ADDRESS, GitServer
from harness import BASE_REGISTRY, BUSYBOX, PUSH_REGISTRY, Namespace, image_build
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
