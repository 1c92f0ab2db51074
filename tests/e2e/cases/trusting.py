"""What a hostile RUN step tries and does not achieve."""
import harness
from gitserver import ADDRESS, GitServer
from harness import BUSYBOX, DEBIAN, PUSH_REGISTRY, Namespace, condition
from registry import Image
from sshserver import SshServer, client_files

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


SECRET = "s3cret-value-of-a-token"
# The pattern does not match itself: the plan and the command line hold the text of the RUN.
LOOK = ("{ for d in / /run /tmp /root /etc /var /.stagewright /.stagewright/secrets /dev /dev/shm; do "
        "find $d -xdev -maxdepth 4 -type f -size -64k 2>/dev/null; done | sort -u | xargs grep -l 's3cret-val[u]e' 2>/dev/null; "
        "for d in secrets grants; do ls -A /.stagewright/$d 2>/dev/null; done; env | grep 's3cret-val[u]e'; "
        "cat /proc/*/environ 2>/dev/null | grep -c 's3cret-val[u]e'; echo looked; }")


def test_secrets_are_for_the_run_that_names_them():
    """Another stage and another RUN find nothing, the layer holds nothing, the log shows stars."""
    with Namespace("secrets") as ns:
        ns.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "npm-token"}, "stringData": {"token": SECRET}})
        ns.inline("secrets", f"""FROM {BUSYBOX} AS other
RUN {LOOK} > /looked-other
FROM {BUSYBOX}
RUN {LOOK} > /looked-before
RUN --mount=type=secret,id=npm,required=true --mount=type=secret,id=npm,target=/root/.npmrc,mode=0440,gid=8,env=NPM \\
    test "$(cat /run/secrets/npm)" = "$NPM" && cmp /run/secrets/npm /root/.npmrc && \\
    stat -L -c %u:%g:%a /run/secrets/npm /root/.npmrc > /seen && wc -c < /root/.npmrc >> /seen && cat /root/.npmrc
RUN --mount=type=secret,id=none test ! -e /run/secrets/none && {LOOK} > /looked-after
COPY --from=other /looked-other /
""", secrets=[{"id": "npm", "secretKeyRef": {"name": "npm-token", "key": "token"}}], retention={"pods": "Always"})
        status = ns.succeeded("secrets")
        image = Image(f"{PUSH_REGISTRY}/{ns.name}/secrets:1")
        tree = image.tree()
        assert tree["seen"][1] == b"0:0:400\n0:8:440\n23\n", tree["seen"]
        for name in ("other", "before", "after"):
            assert tree[f"looked-{name}"][1] == b"0\nlooked\n", (name, tree[f"looked-{name}"])
        for path, (_, data) in tree.items():
            assert SECRET.encode() not in (data or b""), path
        own = [m.name for m, _ in image.layer(len(image.manifest["layers"]) - 3)]
        assert own == ["seen"], own
        assert SECRET not in str(image.config) and SECRET not in str(status)
        log = ns.logs("secrets", "1")
        assert SECRET not in log and "***" in log, log
        pods = {s["index"]: harness.get("pod", s["pod"], ns.name) for s in status["stages"]}
        assert "npm-token" not in str(pods[0]) and len(pods[1]["spec"]["containers"]) == 2
        # Only the container that runs no foreign code mounts the Secret.
        stage = next(c for c in pods[1]["spec"]["containers"] if c["name"] == "stage")
        assert not any(m["name"].startswith("grant") for m in stage["volumeMounts"]), stage


def test_a_missing_secret_is_waited_for_and_named():
    with Namespace("late") as ns:
        ns.inline("late", f"FROM {BUSYBOX}\nRUN --mount=type=secret,id=npm,required=true wc -c < /run/secrets/npm > /n\n",
                  secrets=[{"id": "npm", "secretKeyRef": {"name": "npm-token", "key": "token"}}])
        ns.inline("undeclared", f"FROM {BUSYBOX}\nRUN --mount=type=secret,id=npm,required=true true\n")
        failure = ns.failed("undeclared", "DockerfileInvalid")
        assert "spec.secrets has no such id" in failure["message"] and failure["line"] == 2, failure
        harness.wait_until("the stage to miss its Secret", 60, lambda: any(
            s.get("reason") == "CredentialsNotFound" and '"npm-token"' in s.get("message", "")
            for s in ns.status("late").get("stages", [])))
        ns.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "npm-token"}, "stringData": {"token": SECRET}})
        ns.succeeded("late")
        assert Image(f"{PUSH_REGISTRY}/{ns.name}/late:1").read("/n") == b"23\n"


def test_an_ssh_key_signs_and_cannot_be_read():
    with SshServer() as ssh, GitServer() as git, Namespace("ssh") as ns:
        url, _ = git.repository("client", client_files())
        ns.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "deploy-key"}, "type": "kubernetes.io/ssh-auth",
                  "stringData": {"ssh-privatekey": ssh.key}})
        go = (f"ssh -p {ssh.port} -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oBatchMode=yes "
              f"root@{ADDRESS}")
        secret = ssh.key.splitlines()[2]
        ns.build("ssh", source={"git": {"url": url}}, ssh=[
            {"id": "default", "secretKeyRef": {"name": "deploy-key", "key": "ssh-privatekey"}}],
            dockerfileInline=f"""FROM {DEBIAN}
COPY --chmod=755 root/ /
RUN --mount=type=ssh ssh-add -l > /listed && {go} > /reached
RUN --mount=type=ssh,target=/agent,uid=65534 cp /agent /copied 2>/dev/null; cat /agent >> /copied 2>/dev/null; \\
    grep -rsl 'b3BlbnNzaC1rZX[k]' /run /tmp /root /.stagewright > /found; \\
    dd if=/proc/1/mem of=/mem bs=1 count=1 2>/dev/null; ssh-add -D 2>/dev/null && echo deleted >> /found; ssh-add -l > /still
RUN ! {go} 2>/refused; ls -A /.stagewright/secrets > /left; test -z "$SSH_AUTH_SOCK"
""")
        status = ns.succeeded("ssh", timeout=300)
        tree = Image(f"{PUSH_REGISTRY}/{ns.name}/ssh:1").tree()
        assert b"key (ED25519)" in tree["listed"][1] and tree["reached"][1] == b"reached\n", tree["listed"]
        assert b"key (ED25519)" in tree["still"][1]
        assert [tree[n][1] for n in ("found", "left")] == [b"", b""] and not tree.get("mem", (0, b""))[1], (tree["found"], tree["left"])
        assert b"Permission denied" in tree["refused"][1], tree["refused"]
        for path, (_, data) in tree.items():
            assert secret.encode() not in (data or b""), path
        assert secret not in str(status)
