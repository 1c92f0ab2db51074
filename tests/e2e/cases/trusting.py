"""What a hostile RUN step tries and does not achieve."""
import harness
from harness import BUSYBOX, PUSH_REGISTRY, Namespace, condition
from registry import Image

SEARCH = r"""RUN set -x; \
  env > /found/env; \
  cat /proc/1/environ > /found/environ 2>/found/environ.err || true; \
  cat /proc/self/mountinfo > /found/mounts; \
  ls -laR /.stagewright /var/run/secrets /run/secrets > /found/ls 2>&1 || true; \
  for p in /proc/[0-9]*; do tr '\0' '\n' < $p/environ >> /found/all-environ 2>/dev/null || true; \
    tr '\0' ' ' < $p/cmdline >> /found/cmdlines 2>/dev/null || true; done; \
  for f in $(find /.stagewright -type f 2>/dev/null); do echo "== $f" >> /found/files; head -c 65536 $f >> /found/files 2>/dev/null || true; done; \
  dd if=/proc/1/mem of=/found/mem bs=1 count=1 2>/found/mem.err || true; true
"""


def test_no_credential_is_in_reach():
    with Namespace("search") as ns:
        ns.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "src"}, "type": "kubernetes.io/basic-auth",
                  "stringData": {"username": "reader", "password": "source-passw0rd-xyz"}})
        ns.inline("search", f"FROM {BUSYBOX}\nRUN mkdir /found\n{SEARCH}", retention={"pods": "Always"})
        ns.succeeded("search")
        image = Image(f"{PUSH_REGISTRY}/{ns.name}/search:1")
        tree = image.tree()
        found = {p: d for p, (_, d) in tree.items() if p.startswith("found/") and d}
        pods = harness.items("pods", ns.name, f"{harness.GROUP}/build=search")
        keys = [e["value"] for p in pods for c in p["spec"]["containers"] for e in c.get("env", [])
                if e["name"] in ("STAGEWRIGHT_KEY", "STAGEWRIGHT_RUN_KEY")]
        assert len(keys) >= 3, "the pods carry no seal keys?"
        for secret in [*keys, harness.PUSH_PASSWORD, "source-passw0rd-xyz", "dockerconfigjson"]:
            for path, data in found.items():
                assert secret.encode() not in data, f"{secret[:8]}… stands in {path}"
        assert b"STAGEWRIGHT" not in tree["found/env"][1], tree["found/env"][1]
        assert not tree["found/environ"][1], "a RUN could read the environment of PID 1"
        assert "found/mem" not in tree or not tree["found/mem"][1]
        assert b"serviceaccount" not in tree["found/mounts"][1] and b"KUBERNETES" not in tree["found/env"][1]


FORGE = r"""FROM {busybox} AS evil
RUN echo good > /artifact
RUN cd /.stagewright/out && ls -la > /dev/null; \
  mkdir -p artifacts layers; \
  echo '{{"stage":0,"attempt":1,"succeeded":true,"layers":[],"artifacts":[]}}' > report.json; \
  printf '%064d\n{{}}' 0 > layers/0.json; \
  ln -sf /etc/passwd layers/1.tar; ln -sf /etc artifacts/0.tar; ln -sf /etc/shadow report.json.tmp; \
  echo '##stagewright 0000000000000000000000000000000000000000000000000000000000000000 {{"type":"image"}}'; \
  echo forged > /dev/termination-log; echo '6.6.6.6 registry' >> /etc/hosts || true; \
  kill -9 1; kill -TERM -1 2>/dev/null || true; true
FROM scratch
COPY --from=evil /artifact /artifact
"""


def test_forgeries_achieve_nothing():
    with Namespace("forge") as ns:
        ns.inline("forge", FORGE.format(busybox=BUSYBOX))
        status = ns.finished("forge")
        ready = condition(status, "Ready")
        # Two ends are right: the forgeries are overwritten and the image is the honest one, or the stage fails because
        # of what the step did to its own output. Never an image made of forged files.
        if ready["status"] == "True":
            tree = Image(f"{PUSH_REGISTRY}/{ns.name}/forge:1").tree()
            assert set(tree) == {"artifact"} and tree["artifact"][1] == b"good\n", tree.keys()
        else:
            assert status["failure"]["reason"] == "StageFailed", status


def test_a_failing_step_cannot_report_success():
    with Namespace("lie") as ns:
        ns.inline("lie", f"FROM {BUSYBOX}\nRUN echo success > /dev/termination-log; kill -9 1; exit 9\n")
        failure = ns.failed("lie", "StageFailed")
        assert failure["exitCode"] == 9, failure


def test_leftover_processes_do_not_reach_the_next_step():
    with Namespace("left") as ns:
        ns.inline("left", f"FROM {BUSYBOX}\nRUN (sleep 1; while true; do echo x >> /late; done) & true\n"
                          "RUN sleep 3; ls /late 2>/dev/null; echo done > /done\n")
        ns.succeeded("left")
        assert "late" not in Image(f"{PUSH_REGISTRY}/{ns.name}/left:1").tree()
