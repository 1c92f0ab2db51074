#!/usr/bin/env python3
"""Runs the real static executor as PID 1 of real containers and looks at what it leaves behind.

usage: stage_container.py EXECUTOR [-k PATTERN]

Needs root, runc or crun, and busybox (static). What is missing skips the whole run, aloud. Each case is a plan written by
hand, a busybox root with the mounts that a kubelet makes, and an assertion on layers, artifacts, reports and logs. The seals
are computed here on their own, so the format is checked too.
"""
import hashlib
import hmac
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

KEY = bytes(range(32))
RUN_ID = "r1"
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID", "SETGID", "SETFCAP", "KILL", "SYS_CHROOT"]
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def attempt_key(role, attempt):
    return hmac.new(KEY, f"attempt-key\n{role}\n{attempt}".encode(), hashlib.sha256).digest()


def seal(role, attempt, kind, body):
    message = f"stagewright-seal-1\n{RUN_ID}\n{role}\n{attempt}\n{kind}\n{hashlib.sha256(body).hexdigest()}"
    return hmac.new(attempt_key(role, attempt), message.encode(), hashlib.sha256).hexdigest()


def unseal(role, attempt, kind, text):
    mac, body = text.split(b"\n", 1)
    assert mac.decode() == seal(role, attempt, kind, body), f"wrong seal of {kind}"
    return json.loads(body)


def run_step(command, shell=True, **more):
    argv = ["/bin/sh", "-c", command] if shell else command
    return {"text": "RUN " + str(command).strip()[:20], "line": 3, "cacheKey": "0" * 64,
            "run": {"argv": argv, "env": [PATH], "workdir": "/", "user": "", "mounts": [], "pipes": [],
                    "networkNone": False, **more}}


def copy_step(sources, destination, **more):
    return {"text": "COPY", "line": 4, "cacheKey": "0" * 64,
            "copy": {"isAdd": False, "sources": sources, "destination": destination, "chown": "", "chmod": "",
                     "link": False, "parents": False, "excludes": [], **more}}


def context(path):
    return {"from": "context", "path": path}


def stage(index, steps, base=None, exports=(), depends=(), name=None, config=None):
    return {"index": index, "name": name or f"s{index}", "line": 1, "implicit": False,
            "base": base or {"kind": "image", "name": "busybox", "reference": "r.example/busybox@sha256:" + "a" * 64,
                             "layers": [], "diffIds": []},
            "dependsOn": list(depends), "steps": steps, "exports": [{"path": e} for e in exports],
            "usesContext": True,
            "config": {"architecture": "amd64", "os": "linux", "config": config or {},
                       "rootfs": {"type": "layers", "diff_ids": []}, "history": []}}


def plan_of(*stages):
    return {"version": 1, "platform": "linux/amd64", "target": len(stages) - 1, "stages": list(stages),
            "fetches": [], "warnings": []}


class Layer:
    def __init__(self, path):
        self.tar = tarfile.open(path)
        self.members = {m.name: m for m in self.tar.getmembers()}

    def names(self):
        return sorted(self.members)

    def read(self, name):
        return self.tar.extractfile(self.members[name]).read()


class Container:
    """One stage's container: a busybox root and the mounts of a stage pod."""

    def __init__(self, work, executor, plan, index, upstream=(), env=None, empty=False, options=None):
        self.dir = work / f"stage{index}"
        self.index = index
        self.root = self.dir / "rootfs"
        self.out = self.dir / "out"
        self.out.mkdir(parents=True)
        self.out.joinpath("leftover").mkdir()
        self.context = work / "context"
        self.context.mkdir(exist_ok=True)
        self.termination = self.dir / "termination-log"
        self.termination.write_bytes(b"")
        tools = work / "tools"
        if not tools.exists():
            tools.mkdir()
            shutil.copy(executor, tools / "stagewright-stage")
        self.files = {}
        for name in ("hosts", "hostname", "resolv.conf"):
            self.files[name] = self.dir / name
            self.files[name].write_text(f"kubelet's {name}\n")
        self.plan_path = self.dir / "plan.json"
        text = json.dumps(plan).encode()
        self.plan_path.write_bytes(text)
        self.root.mkdir()
        if not empty:
            self.make_busybox()
        self.env = {
            "STAGEWRIGHT_RUN_ID": RUN_ID, "STAGEWRIGHT_ATTEMPT": "1", "STAGEWRIGHT_STAGE": str(index),
            "STAGEWRIGHT_KEY": attempt_key(str(index), 1).hex(),
            "STAGEWRIGHT_PLAN_DIGEST": "sha256:" + hashlib.sha256(text).hexdigest(),
            "STAGEWRIGHT_UPSTREAM": json.dumps({str(u.index): {"attempt": 1, "key": attempt_key(str(u.index), 1).hex()}
                                                for u in upstream}),
            "KUBERNETES_SERVICE_HOST": "10.0.0.1", **(env or {})}
        self.upstream = upstream
        self.options = options or {}
        self.process = None

    def make_busybox(self):
        for directory in ("bin", "etc", "tmp", "root", "usr/bin", "var"):
            (self.root / directory).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.root / "bin/busybox")
        for applet in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True).stdout.split():
            link = self.root / "bin" / applet
            if not link.exists():
                link.symlink_to("busybox")
        (self.root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n")
        (self.root / "etc/group").write_text("root:x:0:\napp:x:1001:\nextra:x:1002:app\n")

    def shift_owners(self):
        """As an idmapped volume and root look from inside: everything belongs to the mapped root."""
        os.chmod(self.dir.parent, 0o755)
        for top in (self.dir, self.context):
            subprocess.run(["chown", "-R", "-h", "100000:100000", str(top)], check=True)

    def config(self):
        def bind(source, target, mode):
            return {"destination": target, "source": str(source), "type": "bind", "options": ["bind", mode]}
        capabilities = ["CAP_" + c for c in CAPABILITIES]
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "ro"]},
            bind(self.context, "/.stagewright/context", "ro"),
            bind(self.plan_path, "/.stagewright/plan.json", "ro"),
            bind(self.out, "/.stagewright/out", "rw"),
            bind(self.dir.parent / "tools", "/.stagewright/tools", "ro"),
            bind(self.termination, "/dev/termination-log", "rw"),
        ]
        mounts += [bind(self.files[n], f"/etc/{n}", "rw") for n in self.files]
        mounts += [bind(u.out, f"/.stagewright/from/{u.index}", "ro") for u in self.upstream]
        mounts += self.options.get("mounts", [])
        return {
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0},
                        "args": ["/.stagewright/tools/stagewright-stage"],
                        "env": [f"{k}={v}" for k, v in self.env.items()], "cwd": "/", "noNewPrivileges": True,
                        "capabilities": {k: capabilities for k in ("bounding", "effective", "permitted")}},
            "root": {"path": str(self.root), "readonly": False},
            "hostname": "stage", "mounts": mounts,
            "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network") +
                                     (("user",) if self.options.get("userns") else ())],
                      **({k: [{"containerID": 0, "hostID": 100000, "size": 65536}] for k in ("uidMappings", "gidMappings")}
                         if self.options.get("userns") else {}),
                      "maskedPaths": ["/proc/kcore", "/proc/keys"], "readonlyPaths": ["/proc/sys"],
                      "resources": self.options.get("resources", {})},
        }

    def start(self):
        if self.options.get("userns"):
            self.shift_owners()
        (self.dir / "config.json").write_text(json.dumps(self.config()))
        self.name = f"stage-{os.getpid()}-{self.index}-{time.monotonic_ns()}"
        self.process = subprocess.Popen([RUNTIME, "run", "-b", str(self.dir), self.name], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        return self

    def wait(self, timeout=60):
        try:
            out, _ = self.process.communicate(timeout=timeout)
        finally:
            subprocess.run([RUNTIME, "delete", "-f", self.name], capture_output=True)
        self.log = out.decode(errors="replace")
        self.code = self.process.returncode
        return self

    def run(self, expect=0):
        self.start().wait()
        assert self.code == expect, f"exit {self.code}, expected {expect}\n{self.log}"
        return self

    def report(self):
        return unseal(str(self.index), 1, "report", (self.out / "report.json").read_bytes())

    def termination_failure(self):
        return unseal(str(self.index), 1, "termination", self.termination.read_bytes())

    def layer(self, step):
        path = self.out / "layers" / f"{step}.tar"
        sealed = unseal(str(self.index), 1, "layer", (self.out / "layers" / f"{step}.json").read_bytes())
        assert sealed["diffId"] == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        assert sealed["size"] == path.stat().st_size
        return Layer(path)

    def frames(self):
        out = []
        for line in self.log.splitlines():
            match = re.match(r"##stagewright ([0-9a-f]{64}) (.*)", line)
            if match and match[1] == seal(str(self.index), 1, "frame", match[2].encode()):
                out.append(json.loads(match[2]))
        return out


CASES = []


def case(function):
    CASES.append(function)
    return function


@case
def run_copy_workdir(work, executor):
    steps = [
        run_step("echo hello; mkdir /data; echo one > /data/file; ln /data/file /data/hard; rm /etc/group; chmod u+s /bin/busybox"),
        copy_step([context("src")], "/app/"),
        {"text": "WORKDIR /w/x", "line": 5, "cacheKey": "0" * 64, "workdir": {"path": "/w/x", "user": "app"}},
        run_step("id -u; pwd; echo $HOME", user="app", workdir="/w/x"),
        run_step(["true"], shell=False),
    ]
    c = Container(work, executor, plan_of(stage(0, steps)), 0)
    src = c.context / "src"
    (src / "sub").mkdir(parents=True)
    (src / "a.txt").write_text("a")
    (src / "sub/run.sh").write_text("#!/bin/sh\n")
    os.chmod(src / "sub/run.sh", 0o755)
    os.utime(src / "a.txt", (1000000000, 1000000000))
    os.chown(src / "a.txt", 77, 77)
    c.run()
    first = c.layer(0)
    assert first.names() == ["bin", "bin/busybox", "data", "data/file", "data/hard", "etc", "etc/.wh.group"], first.names()
    assert first.members["data/hard"].islnk() and first.members["data/hard"].linkname == "data/file"
    assert first.members["bin/busybox"].mode & 0o4000
    second = c.layer(1)
    assert second.names() == ["app", "app/a.txt", "app/sub", "app/sub/run.sh"], second.names()
    a = second.members["app/a.txt"]
    assert (a.uid, a.gid, int(a.mtime)) == (0, 0, 1000000000)
    assert second.members["app/sub/run.sh"].mode == 0o755
    third = c.layer(2)
    assert third.names() == ["w", "w/x"] and {m.uid for m in third.members.values()} == {1000}
    assert {m.gid for m in third.members.values()} == {1001}
    assert c.layer(3).names() == [] and c.layer(4).names() == []
    empty = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
    report = c.report()
    assert report["succeeded"] and [l["diffId"] for l in report["layers"]][3:] == [empty, empty], report
    assert "\n1000\n/w/x\n/home/app\n" in c.log, c.log
    states = [(f["step"], f["state"]) for f in c.frames()]
    assert states == [(i, s) for i in range(5) for s in ("Started", "Succeeded")], states
    assert "[s0 2/6] RUN echo hello; mkdir /d\n" in c.log
    assert c.termination.read_bytes() == b""
    assert sorted(p.name for p in c.out.iterdir()) == ["artifacts", "layers", "leftover", "log", "report.json"]


@case
def two_stages(work, executor):
    first = stage(0, [run_step("mkdir -p /out/d && echo x > /out/d/x && ln -s d/x /out/link && chown 5:6 /out/d/x && "
                               "chmod 6755 /out/d/x && echo lib > /out/lib.so && echo b > /etc/hostname")],
                  exports=["/out/d", "/out/link", "/out/*.so", "/nothing", "/etc/hostname"])

    def export(index, path):
        return {"from": "stage", "path": path, "stage": 0, "exportIndex": index}
    second = stage(1, [copy_step([export(0, "/out/d")], "/d"), copy_step([export(1, "/out/link")], "/l/"),
                       copy_step([export(2, "/out/*.so")], "/lib/"), copy_step([export(4, "/etc/hostname")], "/etc/"),
                       run_step("cat /d/x /lib/lib.so /l/link")], depends=[0])
    third = stage(2, [run_step("test ! -e /etc/passwd && cat /etc/base")],
                  base={"kind": "stage", "stage": 3}, depends=[3])
    del third
    plan = plan_of(first, second)
    a = Container(work, executor, plan, 0)
    b = Container(work, executor, plan, 1, upstream=[a])
    b.start()                       # eager: it waits for the other's report
    (a.out / "report.json").write_text("0" * 64 + "\n" + json.dumps({"stage": 0, "attempt": 1, "succeeded": True}))
    time.sleep(1)
    assert b.process.poll() is None, "a forged report was believed"
    a.run()
    b.wait()
    assert b.code == 0, b.log
    x = b.layer(0).members["d/x"]
    assert (x.uid, x.gid, x.mode) == (5, 6, 0o6755), (x.uid, x.gid, oct(x.mode))
    link = b.layer(1)
    assert link.names() == ["l", "l/link"] and link.members["l/link"].isfile() and link.read("l/link") == b"x\n"
    assert b.layer(2).names() == ["lib", "lib/lib.so"]
    # A mounted file: in the layer, not in the container.
    assert b.layer(3).read("etc/hostname") == b"b\n"
    assert (b.dir / "hostname").read_text() == "kubelet's hostname\n"
    assert a.report()["artifacts"][3]["matches"] == []
    assert b.report()["upstream"] == {"0": 1}


@case
def from_earlier_stage(work, executor):
    base = stage(0, [run_step("rm /etc/passwd; echo base > /etc/base; mkdir /opaque; echo h > /etc/hostname; "
                              "rm -rf /var; mkdir /var; touch -d @1234567890 /var")])
    child = stage(1, [run_step("test ! -e /etc/passwd && test -d /opaque && cat /etc/base && echo new > /etc/new")],
                  base={"kind": "stage", "stage": 0}, depends=[0], exports=["/etc"])
    plan = plan_of(base, child)
    a = Container(work, executor, plan, 0).run()
    b = Container(work, executor, plan, 1, upstream=[a]).run()
    assert b.layer(0).names() == ["etc", "etc/new"], b.layer(0).names()
    packed = Layer(b.out / "artifacts/0.tar")
    assert packed.read("0/hostname") == b"h\n" and "0/passwd" not in packed.members
    assert "0/hosts" not in packed.members


@case
def changed_layer_is_refused(work, executor):
    plan = plan_of(stage(0, [run_step("echo base > /etc/base")]),
                   stage(1, [run_step("true")], base={"kind": "stage", "stage": 0}, depends=[0]))
    a = Container(work, executor, plan, 0).run()
    path = a.out / "layers/0.tar"
    path.write_bytes(path.read_bytes().replace(b"base\n", b"evil\n"))
    b = Container(work, executor, plan, 1, upstream=[a]).run(expect=70)
    assert not b.report()["succeeded"] and "digest" in b.report()["failure"]["message"]


@case
def failing_step(work, executor):
    plan = plan_of(stage(0, [run_step("echo before; printf 'last words' >&2; exit 3"), run_step("touch /never")]))
    c = Container(work, executor, plan, 0).run(expect=10)
    failure = c.report()["failure"]
    assert failure == c.termination_failure(), failure
    assert failure["reason"] == "StageFailed" and failure["exitCode"] == 3 and failure["line"] == 3
    assert failure["logTail"] == "before\nlast words", failure
    assert failure["message"].endswith("did not complete successfully: exit code: 3"), failure
    assert c.frames()[-1]["state"] == "Failed" and not (c.out / "layers/0.tar").exists()


@case
def programs_that_do_not_start(work, executor):
    for argv, code, text in ((["nope"], 127, "executable file not found in $PATH"),
                             (["/bin/nope"], 127, "no such file or directory"), (["/etc/passwd"], 126, "denied")):
        shutil.rmtree(work / "stage0", ignore_errors=True)
        c = Container(work, executor, plan_of(stage(0, [run_step(argv, shell=False)])), 0).run(expect=10)
        failure = c.report()["failure"]
        assert failure["exitCode"] == code and text in failure["message"].lower() or text in failure["message"], failure


@case
def unknown_user(work, executor):
    c = Container(work, executor, plan_of(stage(0, [run_step("true", user="ghost")])), 0).run(expect=10)
    assert "unable to find user ghost: no matching entries in passwd file" in c.report()["failure"]["message"]


@case
def identities(work, executor):
    users = {"": "0:0:0", "app": "1000:1001:1001 1002", "1000": "1000:1001:1001 1002", "4711": "4711:0:0",
             "app:extra": "1000:1002:1002", "1:2": "1:2:2"}
    steps = [run_step("echo I $(id -u):$(id -g):$(id -G); grep Cap[EPB] /proc/self/status; umask", user=u) for u in users]
    c = Container(work, executor, plan_of(stage(0, steps)), 0).run()
    seen = re.findall(r"^I (.*)$", c.log, re.M)
    assert seen == list(users.values()), seen
    assert c.log.count("CapEff:\t0000000000000000") == 5, c.log
    assert c.log.count("0022") == 6


@case
def hostile_steps(work, executor):
    script = r"""
      exec 2>&1
      env | grep -i -e stagewright -e kubernetes && echo LEAK-env
      tr '\0' '\n' < /proc/1/environ | grep STAGEWRIGHT && echo LEAK-environ
      cat /proc/1/mem && echo LEAK-mem
      ls -l /proc/1/fd | grep -v -e cannot -e denied | grep '>' && echo LEAK-fd
      ls /proc/self/fd
      grep -r %s / --exclude-dir=proc --exclude-dir=sys 2>/dev/null && echo LEAK-key
      kill -9 1; kill -TERM 1; kill -INT 1; kill -STOP 1
      echo forged > /dev/termination-log
      rm -rf /.stagewright/tools/* ; echo x > /.stagewright/plan.json
      ln -s /etc /.stagewright/out/layers/0.tar.tmp; ln -s /etc/passwd /.stagewright/out/layers/0.tar
      mkdir -p /.stagewright/out/report.json/x /.stagewright/out/artifacts/0.tar.tmp/y
      ln -s /etc/passwd /.stagewright/out/report.json.tmp
      (setsid sh -c 'sleep 1000; echo late > /late') & (trap '' TERM HUP; sleep 1000) &
      echo '##stagewright %s {"type":"step","step":0,"of":1,"state":"Succeeded","seq":1}'
      echo done > /made
    """ % (attempt_key("0", 1).hex(), "0" * 64)
    steps = [run_step(script), run_step("ps; echo processes $(ps | wc -l)")]
    c = Container(work, executor, plan_of(stage(0, steps, exports=["/made"])), 0).run()
    assert "LEAK" not in c.log, c.log
    assert c.layer(0).names() == ["made"], c.layer(0).names()
    assert (c.root / "etc/passwd").read_text().startswith("root:x:0:0")
    assert c.report()["succeeded"] and c.termination.read_bytes() == b""
    assert "sleep 1000" not in c.log.split("RUN ps")[1], c.log
    assert Layer(c.out / "artifacts/0.tar").read("0") == b"done\n"
    assert len([f for f in c.frames() if f["step"] == 0]) == 2


@case
def output_directory_replaced(work, executor):
    c = Container(work, executor, plan_of(stage(0, [run_step("mv /.stagewright/out/layers /.stagewright/out/gone; "
                                                             "mkdir /.stagewright/out/layers")])), 0).run(expect=10)
    assert "replaced the directory" in c.report()["failure"]["message"]


@case
def stopped_while_waiting(work, executor):
    plan = plan_of(stage(0, [], exports=["/etc"]),
                   stage(1, [copy_step([{"from": "stage", "path": "/etc", "stage": 0, "exportIndex": 0}], "/x")], depends=[0]))
    a = Container(work, executor, plan, 0)
    b = Container(work, executor, plan, 1, upstream=[a]).start()
    time.sleep(1)
    began = time.monotonic()
    subprocess.run([RUNTIME, "kill", b.name, "TERM"], check=True)
    b.wait()
    assert time.monotonic() - began < 3 and b.code == 70, (b.code, b.log)
    assert b.termination_failure()["reason"] == "Disrupted"


@case
def stopped_while_running(work, executor):
    c = Container(work, executor, plan_of(stage(0, [run_step("echo started; sleep 1000")])), 0).start()
    time.sleep(1.5)
    began = time.monotonic()
    subprocess.run([RUNTIME, "kill", c.name, "TERM"], check=True)
    c.wait()
    assert time.monotonic() - began < 3 and c.code == 70, (c.code, c.log)


@case
def timeout(work, executor):
    c = Container(work, executor, plan_of(stage(0, [run_step("sleep 1000")])), 0,
                  env={"STAGEWRIGHT_TIMEOUT_SECONDS": "1"}).run(expect=11)
    assert c.termination_failure()["reason"] == "StageTimeout"


@case
def isolation_refused(work, executor):
    c = Container(work, executor, plan_of(stage(0, [run_step("true")])), 0,
                  env={"STAGEWRIGHT_USER_NAMESPACE": "required"}).run(expect=78)
    assert c.termination_failure()["reason"] == "IsolationRefused"


@case
def user_namespace(work, executor):
    plan = plan_of(stage(0, [
        run_step("cat /proc/self/uid_map; id -u; touch /f /g; chown 1000:1000 /f; setcap cap_net_raw+ep /g 2>/dev/null; true"),
        copy_step([context("a")], "/copied/", chown="app"), run_step("id", user="app")]))
    c = Container(work, executor, plan, 0, env={"STAGEWRIGHT_USER_NAMESPACE": "required"}, options={"userns": True})
    (c.context / "a").write_text("a")
    c.run()
    f = c.layer(0).members["f"]
    assert (f.uid, f.gid) == (1000, 1000) and c.layer(0).members["g"].uid == 0
    assert c.layer(1).members["copied/a"].uid == 1000
    assert "100000" in c.log and "uid=1000(app)" in c.log, c.log


@case
def wrong_plan(work, executor):
    Container(work, executor, plan_of(stage(0, [run_step("true")])), 0,
              env={"STAGEWRIGHT_PLAN_DIGEST": "sha256:" + "0" * 64}).run(expect=70)


@case
def empty_root(work, executor):
    plan = plan_of(stage(0, [copy_step([context("hello")], "/hello"), copy_step([context("hello")], "/etc/hosts")],
                         base={"kind": "scratch"}, exports=["/"]))
    c = Container(work, executor, plan, 0, empty=True)
    (c.context / "hello").write_text("hi")
    c.run()
    assert c.layer(0).names() == ["hello"]
    assert c.layer(1).names() == ["etc", "etc/hosts"] and c.layer(1).read("etc/hosts") == b"hi"
    assert (c.dir / "hosts").read_text() == "kubelet's hosts\n"
    packed = Layer(c.out / "artifacts/0.tar")
    assert [n for n in packed.names() if not n.startswith(".stagewright")] == ["0", "0/etc", "0/etc/hosts", "0/hello"], packed.names()


@case
def image_volume(work, executor):
    c = Container(work, executor, plan_of(stage(0, [run_step("echo kept > /data/kept; echo lost > /mnt/lost")],
                                                config={"Volumes": {"/data": {}}})), 0)
    for name in ("data", "mnt"):
        (c.dir / name).mkdir()
        c.options.setdefault("mounts", []).append(
            {"destination": "/" + name, "source": str(c.dir / name), "type": "bind", "options": ["bind", "rw"]})
    c.run()
    assert c.layer(0).names() == ["data", "data/kept"], c.layer(0).names()


def mount(kind, target, **more):
    return {"type": kind, "target": target, "source": "", "fromStage": -1, "fromExport": -1, "context": "", "id": "",
            "env": "", "envOnly": False, "sharing": "shared", "required": False, "readOnly": False, "uid": 0, "gid": 0,
            "size": 0, **more}


@case
def mounts_leave_nothing(work, executor):
    steps = [
        run_step("mkdir -p /full/d && echo image > /full/d/f && ln -s /full /alias"),
        run_step("cat /src/a /full/b/c; echo scratch > /full/new; echo x > /src/y; touch /tmpfs/z /deep/er/dir/q; "
                 "ls -l /full; stat -c %a /tmpfs; test ! -e /full/d; echo result > /result",
                 mounts=[mount("bind", "/src", source="dir"), mount("bind", "/alias", source="."),
                         mount("tmpfs", "/tmpfs"), mount("tmpfs", "/deep/er/dir")]),
        run_step("cat /full/d/f; test ! -e /src; test ! -e /deep; test ! -e /full/new; ls -d /*"),
    ]
    c = Container(work, executor, plan_of(stage(0, steps)), 0)
    (c.context / "dir").mkdir()
    (c.context / "dir/a").write_text("bound\n")
    (c.context / "b").mkdir()
    (c.context / "b/c").write_text("below\n")
    c.run()
    assert c.layer(1).names() == ["result"], c.layer(1).names()
    assert c.layer(2).names() == [] and "bound\nbelow\n" in c.log and "1777" in c.log and "\nimage\n" in c.log, c.log


@case
def cache_mount(work, executor):
    cache = [mount("cache", "/root/.cache", id="go", uid=1000, gid=1001, mode=0o700)]
    steps = [run_step("stat -c %u:%g:%a /root/.cache; echo one >> /root/.cache/f", mounts=cache),
             run_step("ls -A /root; echo two >> /var/lib/c/f; cat /var/lib/c/f", mounts=[mount("cache", "/var/lib/c", id="go")])]
    c = Container(work, executor, plan_of(stage(0, steps)), 0).run()
    assert "1000:1001:700" in c.log and "\none\ntwo\n" in c.log, c.log
    assert c.layer(0).names() == [] and c.layer(1).names() == [], (c.layer(0).names(), c.layer(1).names())


@case
def bind_from_stage(work, executor):
    plan = plan_of(stage(0, [run_step("mkdir /made && echo m > /made/m && chown 7:8 /made/m")], exports=["/made"]),
                   stage(1, [run_step("stat -c %u:%g /mnt/m", mounts=[
                       mount("bind", "/mnt", source="/made", fromStage=0, fromExport=0)])], depends=[0]))
    a = Container(work, executor, plan, 0).run()
    b = Container(work, executor, plan, 1, upstream=[a]).run()
    assert "\n7:8\n" in b.log and b.layer(0).names() == [], b.log


@case
def here_document_script(work, executor):
    steps = [run_step(["/bin/sh", "-c", "/dev/pipes/EOF"], shell=False,
                      pipes=[{"name": "EOF", "content": "IyEvYmluL3NoCmVjaG8gcGlwZWQgJDAK"}]),
             run_step("test ! -e /dev/pipes")]
    c = Container(work, executor, plan_of(stage(0, steps)), 0).run()
    assert "\npiped /dev/pipes/EOF\n" in c.log, c.log


def handed_over(work, secrets):
    """What the container `secrets` of the pod leaves in the volume in memory, as options and environment."""
    volume = work / "secrets"
    volume.mkdir()
    items = []
    for number, (id, value) in enumerate(secrets.items()):
        (volume / str(number)).write_bytes(value)
        items.append({"kind": "secret", "id": id, "file": str(number)})
    (volume / "handover.json").write_text(json.dumps({"items": items, "problem": ""}))
    return {"env": {"STAGEWRIGHT_GRANTS": "await"},
            "options": {"mounts": [{"destination": "/.stagewright/secrets", "source": str(volume), "type": "bind",
                                    "options": ["bind", "rw"]}]}}


@case
def secrets_are_seen_by_their_step_alone(work, executor):
    search = ("find / -xdev -type f -size -64k ! -path '/proc/*' ! -path '/sys/*' 2>/dev/null | xargs grep -l 's3cret-val[u]e'; "
              "ls -A /.stagewright/secrets; env | grep -c s3cret; cat /proc/1/environ 2>/dev/null | grep -c s3cret; "
              "dd if=/proc/1/mem bs=1 count=1 2>/dev/null | wc -c; echo searched")
    steps = [run_step(search),
             run_step("cat /run/secrets/token; stat -L -c %u:%g:%a /run/secrets/token; su app -s /bin/sh -c "
                      "'cat /cfg/owned' | wc -c; test \"$VALUE\" = \"$(cat /run/secrets/token)\" && echo variable",
                      mounts=[mount("secret", "/run/secrets/token", id="token", mode=0o400, env="VALUE"),
                              mount("secret", "/cfg/owned", id="token", mode=0o400, uid=1000, gid=1001),
                              mount("secret", "/run/secrets/none", id="none")]),
             run_step(search)]
    given = handed_over(work, {"token": b"s3cret-value", "unused": b"another-s3cret"})
    c = Container(work, executor, plan_of(stage(0, steps)), 0, **given).run()
    searched = "0\n0\n0\nsearched\n"
    assert c.log.count("\n" + searched) == 2, c.log
    assert "s3cret" not in c.log and "***0:0:400\n12\nvariable\n" in c.log, c.log
    assert all(c.layer(i).names() == [] for i in range(3)), [c.layer(i).names() for i in range(3)]
    assert list((work / "secrets").iterdir()) == []


@case
def a_missing_secret_has_its_own_exit_code(work, executor):
    given = handed_over(work, {})
    problem = 'the Secret "npm-token" that spec.secrets names for id "npm" does not exist or has no key "token"'
    (work / "secrets/handover.json").write_text(json.dumps({"items": [], "problem": problem}))
    c = Container(work, executor, plan_of(stage(0, [run_step("true")])), 0, **given).run(expect=21)
    failure = c.termination_failure()
    assert failure["reason"] == "CredentialsNotFound" and failure["message"] == problem, failure


@case
def caches_on_a_volume_outlive_the_stage(work, executor):
    (work / "caches").mkdir()
    options = {"mounts": [{"destination": "/.stagewright/cache", "source": str(work / "caches"), "type": "bind",
                           "options": ["bind", "rw"]}]}
    step = run_step("cat /cache/log 2>/dev/null | wc -l; echo more >> /cache/log; test ! -e /again/log2 && stat -c %a /again/.",
                    mounts=[mount("cache", "/cache", id="go", mode=0o750, sharing="locked"),
                            mount("cache", "/again", id="go", mode=0o750, sharing="locked")])
    for index, lines in ((0, "0"), (1, "1")):
        stages = [stage(i, [step]) for i in range(index + 1)]
        c = Container(work, executor, plan_of(*stages), index, options=options).run()
        assert f"\n{lines}\n750\n" in c.log and c.layer(0).names() == [], c.log


@case
def an_ssh_key_signs_and_is_never_seen(work, executor):
    """What the agent answers is tested with OpenSSH's programs in the unit tests; here it is what a step can see."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", str(work / "key")], check=True)
    given = handed_over(work, {"default": (work / "key").read_bytes()})
    over = json.loads((work / "secrets/handover.json").read_text())
    over["items"][0]["kind"] = "ssh"
    (work / "secrets/handover.json").write_text(json.dumps(over))
    mounts = [mount("ssh", "/run/buildkit/ssh_agent.0", id="default", mode=0o600)]
    step = run_step("test -S $SSH_AUTH_SOCK && ls -A /.stagewright/secrets && cat /.stagewright/secrets/* 2>/dev/null; "
                    "grep -rl BEGIN /run /.stagewright/secrets 2>/dev/null; echo asked",
                    env=[PATH, "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0"], mounts=mounts)
    after = run_step("test ! -e /run/buildkit && test -z \"$(ls -A /.stagewright/secrets)\"")
    c = Container(work, executor, plan_of(stage(0, [step, after])), 0, **given).run()
    assert "\n0\nasked\n" in c.log and "BEGIN" not in c.log, c.log
    assert c.layer(0).names() == [] and c.layer(1).names() == []


@case
def network_none(work, executor):
    c = Container(work, executor, plan_of(stage(0, [run_step("nc -w 1 127.0.0.1 1; echo $?", networkNone=True)])), 0).run()
    assert "unreachable" in c.log, c.log


@case
def memory_limit(work, executor):
    limit = {"memory": {"limit": 64 * 1024 * 1024, "swap": 64 * 1024 * 1024}}
    script = "awk 'BEGIN { s = \"x\"; while (1) s = s s }'; echo awk ended with $?; exit 1"
    c = Container(work, executor, plan_of(stage(0, [run_step(script)])), 0, options={
        "resources": limit,
        "mounts": [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid"]}]})
    c.run(expect=12)
    failure = c.termination_failure()
    assert failure["reason"] == "StageOOMKilled" and "64Mi" in failure["message"], failure


def find_runtime():
    for name in ("runc", "crun"):
        if shutil.which(name):
            return name
    return None


def main():
    global RUNTIME
    executor = pathlib.Path(sys.argv[1]).resolve()
    pattern = sys.argv[sys.argv.index("-k") + 1] if "-k" in sys.argv else ""
    RUNTIME = find_runtime()
    missing = [what for what, there in (("root", os.geteuid() == 0), ("runc or crun", RUNTIME),
                                        ("/bin/busybox", os.path.exists("/bin/busybox")),
                                        ("the executor", executor.exists())) if not there]
    if missing:
        print("SKIPPED: the container tests of the executor need " + ", ".join(missing))
        return 77
    failed = 0
    for test in (t for t in CASES if pattern in t.__name__):
        work = pathlib.Path(tempfile.mkdtemp(prefix="stage-"))
        began = time.monotonic()
        try:
            test(work, executor)
            result = "ok"
        except (AssertionError, KeyError, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
            failed += 1
            result = f"FAILED: {type(error).__name__}: {error} (line {error.__traceback__.tb_next.tb_lineno if error.__traceback__.tb_next else '?'})"
        print(f"{test.__name__}: {result} ({time.monotonic() - began:.1f} s)", flush=True)
        shutil.rmtree(work, ignore_errors=True)
    print(f"{len(CASES)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
