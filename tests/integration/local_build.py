#!/usr/bin/env python3
"""`stagewright build --local` as a user runs it: contexts, bases, outputs, files it writes, caches, interrupts.

usage: local_build.py STAGEWRIGHT [-k PATTERN]

Needs root, crun or runc, git, and a registry with `busybox` that takes pushes (STAGEWRIGHT_TEST_REGISTRY, default
127.0.0.1:5001). What is missing skips the whole run, aloud. One function per case; each has a directory and a store of its
own. What a build makes of a Dockerfile is the business of tests/conformance, not of this file.
"""
import contextlib
import hashlib
import http.server
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
import threading
import time
import urllib.request

REGISTRY = os.environ.get("STAGEWRIGHT_TEST_REGISTRY", "127.0.0.1:5001")
BUSYBOX = REGISTRY + "/busybox:latest"
PROGRAM = ""
ACCEPT = "application/vnd.oci.image.manifest.v1+json"


class Case:
    """A directory with a context, a store, and the ways to build it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.context = self.root / "context"
        self.context.mkdir()
        self.store = self.root / "store"
        self.env = {k: v for k, v in os.environ.items() if k not in ("SSH_AUTH_SOCK", "DOCKER_CONFIG")}
        self.env["HOME"] = str(self.root)

    def write(self, **files):
        for name, text in files.items():
            (self.context / name.replace("__", ".")).write_text(text)

    def command(self, *options, context=None, store=None):
        return [PROGRAM, "build", "--local", "--progress=plain", "--cache-dir", str(store or self.store), *map(str, options),
                str(self.context if context is None else context)]

    def build(self, *options, expect=0, context=None, store=None, **more):
        done = subprocess.run(self.command(*options, context=context, store=store), env=self.env, timeout=120,
                              capture_output=True, cwd=self.root, **more)
        done.err = done.stderr.decode(errors="replace")
        assert done.returncode == expect, "exit %d instead of %d:\n%s" % (done.returncode, expect, done.err)
        return done

    def tree(self, *options, **more):
        """The files of the result as {name: content}."""
        out = self.build("-o", "type=tar,dest=-", *options, **more).stdout
        with tarfile.open(fileobj=io.BytesIO(out)) as tar:
            return {m.name.rstrip("/"): tar.extractfile(m).read().decode(errors="replace") for m in tar if m.isfile()}

    def ran(self, log):
        """The instructions that were not cached."""
        names = dict(re.findall(r"^#(\d+) (\[(?:\S+ )? *\d+/\d+\] .*)$", log, re.M))
        return [names[n].split("] ", 1)[1] for n in re.findall(r"^#(\d+) DONE", log, re.M) if n in names and "] FROM " not in names[n]]


def name_of(case, what):
    return "%s/conformance-local-%s:t" % (REGISTRY, what)


def manifest_of(reference):
    path, tag = reference.split("/", 1)[1].rsplit(":", 1)
    url = "http://%s/v2/%s/manifests/%s" % (REGISTRY, path, tag)
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": ACCEPT})) as answer:
        return answer.headers["Docker-Content-Digest"], json.load(answer)


@contextlib.contextmanager
def serving(pages):
    """A web server; pages are bytes by path, or a function of the request's headers to (status, body)."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            page = pages.get(self.path)
            status, body = (404, b"") if page is None else page(self.headers) if callable(page) else (200, page)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield "http://127.0.0.1:%d" % server.server_port
    finally:
        server.shutdown()
        server.server_close()


def archive_of(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


SCRATCH = "FROM scratch\nCOPY f /f\n"


# --- contexts ---

def test_context_archive_on_standard_input(case):
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        out = case.tree(context="-", input=archive_of({"Dockerfile": SCRATCH, "f": "in " + mode}, mode))
        assert out == {"f": "in " + mode}, out


def test_context_archive_file(case):
    path = case.root / "c.tar.gz"
    path.write_bytes(archive_of({"sub/Dockerfile": SCRATCH, "f": "x", ".wh.f": "kept", ".dockerignore": "g"}, "w:gz"))
    assert case.tree("-f", "sub/Dockerfile", context=path) == {"f": "x"}


def test_context_dockerfile_on_standard_input(case):
    assert case.tree(context="-", input=b"FROM scratch\nCOPY <<EOF /f\nx\nEOF\n") == {"f": "x\n"}
    case.write(f="here")
    assert case.tree("-f", "-", input=SCRATCH.encode()) == {"f": "here"}
    assert "cannot both" in case.build("-f", "-", context="-", expect=20, input=b"x").err


def test_context_http(case):
    with serving({"/c.tar": archive_of({"Dockerfile": SCRATCH, "f": "http"}), "/Dockerfile": b"FROM scratch\nCOPY <<x /\n1\nx\n"}) as url:
        assert case.tree(context=url + "/c.tar") == {"f": "http"}
        assert case.tree(context=url + "/Dockerfile") == {"x": "1\n"}
        assert "404" in case.build(context=url + "/none", expect=20).err


def make_repository(case):
    work = case.root / "work"
    work.mkdir()
    git = lambda *words: subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=work, check=True, capture_output=True)  # noqa: E731
    git("init", "-q", "-b", "main")
    (work / "sub").mkdir()
    for name, text in {"Dockerfile": SCRATCH, "f": "main", "sub/Dockerfile": SCRATCH, "sub/f": "sub"}.items():
        (work / name).write_text(text)
    git("add", ".")
    git("commit", "-q", "-m", "1")
    git("checkout", "-q", "-b", "side")
    (work / "f").write_text("side")
    git("commit", "-q", "-a", "-m", "2")
    git("checkout", "-q", "main")
    bare = case.root / "repo.git"
    git("clone", "-q", "--bare", ".", str(bare))
    subprocess.run(["git", "update-server-info"], cwd=bare, check=True)
    return {"/repo.git/" + str(p.relative_to(bare)): p.read_bytes() for p in bare.rglob("*") if p.is_file()}


def with_query(pages):
    return {**pages, **{"/repo.git/info/refs?service=git-upload-pack": pages["/repo.git/info/refs"]}}


def test_context_git(case):
    with serving(with_query(make_repository(case))) as url:
        assert case.tree(context=url + "/repo.git") == {"f": "main"}
        assert case.tree(context=url + "/repo.git#side") == {"f": "side"}
        assert case.tree(context=url + "/repo.git#main:sub") == {"f": "sub"}
        case.build(context=url + "/repo.git#nope", expect=20)


def test_context_that_is_not_there(case):
    assert "no such directory" in case.build(context=case.root / "nowhere", expect=20).err
    assert "failed to read dockerfile" in case.build(expect=20).err


def test_named_contexts(case):
    other = case.root / "other"
    other.mkdir()
    (other / "g").write_text("other")
    case.write(Dockerfile="FROM scratch\nCOPY --from=ctx g /g\nCOPY --from=tar h /h\n")
    (case.root / "n.tar").write_bytes(archive_of({"h": "tar"}))
    assert case.tree("--build-context", "ctx=%s" % other, "--build-context", "tar=%s" % (case.root / "n.tar")) == {"g": "other", "h": "tar"}


# --- bases ---

def test_base_from_layout_and_archives(case):
    case.write(Dockerfile="FROM scratch\nCOPY f /\nENV BASE=1\n", f="base")
    layout, oci, docker = case.root / "layout", case.root / "oci.tar", case.root / "docker.tar"
    case.build("-t", "base:1", "-o", "type=oci,tar=false,dest=%s" % layout, "-o", "type=oci,dest=%s" % oci, "-o", "type=docker,dest=%s" % docker)
    case.write(Dockerfile="FROM base\nCOPY f /g\n", f="child")
    for value in ("oci-layout://%s" % layout, "oci-layout://%s:1" % layout, "oci-archive://%s" % oci, "docker-archive://%s" % docker, "docker-archive://%s:1" % docker):
        assert case.tree("--build-context", "base=" + value) == {"f": "base", "g": "child"}, value
        reference = name_of(case, "base")
        case.build("--build-context", "base=" + value, "-t", reference, "--push")
        assert len(manifest_of(reference)[1]["layers"]) == 2
    assert "no image" in case.build("--build-context", "base=docker-archive://%s:9" % docker, expect=20).err
    (case.root / "no.tar").write_bytes(archive_of({"x": "y"}))
    assert "neither an OCI layout" in case.build("--build-context", "base=docker-archive://%s" % (case.root / "no.tar"), expect=20).err


def test_registry_mirror(case):
    case.write(Dockerfile="FROM %s\n" % BUSYBOX)
    case.build("-t", REGISTRY + "/library/busybox:latest", "--push")
    case.write(Dockerfile="FROM busybox\nCOPY f /\n", f="x")
    assert "f" in case.tree("--registry-mirror", REGISTRY)
    case.write(Dockerfile="FROM nowhere.example/busybox\nCOPY f /\n")
    assert "f" in case.tree("--registry-mirror", "nowhere.example=" + REGISTRY)


def test_pull_needs_the_registry(case):
    case.write(Dockerfile="FROM 127.0.0.1:1/none\n")
    assert "127.0.0.1:1" in case.build("--pull", expect=30).err


# --- outputs ---

def test_output_local_and_tar(case):
    case.write(Dockerfile="FROM scratch\nCOPY --chmod=750 f /d/f\nCOPY f /g\n", f="x")
    out = case.root / "out"
    case.build("-o", "type=local,dest=%s" % out, "-o", "type=tar,dest=%s" % (case.root / "o.tar"))
    assert (out / "d/f").read_text() == "x" and (out / "d/f").stat().st_mode & 0o777 == 0o750
    with tarfile.open(case.root / "o.tar") as tar:
        assert {"d/f", "g"} <= set(n.removeprefix("./") for n in tar.getnames())
    shutil.rmtree(out)
    case.build("-o", out)
    assert (out / "g").read_text() == "x"


def test_output_oci_and_docker(case):
    case.write(Dockerfile="FROM scratch\nCOPY f /f\nCMD [\"x\"]\n", f="x")
    oci, docker = case.root / "oci.tar", case.root / "docker.tar"
    case.build("-t", "a.example/app:1", "-t", "b.example/app:2", "-o", "type=oci,dest=%s" % oci, "-o", "type=docker,dest=%s" % docker)
    with tarfile.open(oci) as tar:
        index = json.load(tar.extractfile("index.json"))
        assert [m["annotations"]["io.containerd.image.name"] for m in index["manifests"]] == ["a.example/app:1", "b.example/app:2"]
        for member in tar:
            if member.name.startswith("blobs/sha256/") and member.isfile():
                assert hashlib.sha256(tar.extractfile(member).read()).hexdigest() == member.name.rsplit("/", 1)[1]
    with tarfile.open(docker) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        assert manifest["RepoTags"] == ["a.example/app:1", "b.example/app:2"]
        assert json.load(tar.extractfile(manifest["Config"]))["config"]["Cmd"] == ["x"]
        assert [hashlib.sha256(tar.extractfile(n).read()).hexdigest() for n in manifest["Layers"]] == [
            d.split(":")[1] for d in json.load(tar.extractfile(manifest["Config"]))["rootfs"]["diff_ids"]]


def test_push_under_several_names(case):
    case.write(Dockerfile="FROM %s\nCOPY f /f\n" % BUSYBOX, f="x")
    names = [name_of(case, "one"), name_of(case, "two")]
    case.build("--push", *[w for n in names for w in ("-t", n)])
    assert manifest_of(names[0])[0] == manifest_of(names[1])[0]
    assert "needs a name" in case.build("--push", expect=2).err


def test_metadata_and_iidfile_and_annotation_and_label(case):
    case.write(Dockerfile=SCRATCH, f="x")
    reference, notes, iid = name_of(case, "notes"), case.root / "notes.json", case.root / "iid"
    case.build("--push", "-t", reference, "--metadata-file", notes, "--iidfile", iid, "--annotation", "a.b=c=d", "--label", "l=1=2")
    digest, manifest = manifest_of(reference)
    said = json.loads(notes.read_text())
    assert said["containerimage.digest"] == digest and said["image.name"] == reference
    assert iid.read_text() == manifest["config"]["digest"] == said["containerimage.config.digest"]
    assert manifest["annotations"] == {"a.b": "c=d"}
    with urllib.request.urlopen("http://%s/v2/%s/blobs/%s" % (REGISTRY, reference.split("/", 1)[1].split(":")[0], manifest["config"]["digest"])) as answer:
        assert json.load(answer)["config"]["Labels"] == {"l": "1=2"}


def test_docker_format(case):
    case.write(Dockerfile=SCRATCH, f="x")
    case.build("--docker-format", "-o", "type=oci,dest=%s" % (case.root / "o.tar"))
    with tarfile.open(case.root / "o.tar") as tar:
        assert json.load(tar.extractfile("index.json"))["manifests"][0]["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_epoch_makes_equal_digests(case):
    case.write(Dockerfile="FROM scratch\nCOPY f /f\nENV A=1\n", f="x")
    ids = set()
    for number in range(2):
        case.build("--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1000000000", "--metadata-file", case.root / "m", store=case.root / ("s%d" % number))
        ids.add(json.loads((case.root / "m").read_text())["containerimage.config.digest"])
    assert len(ids) == 1, ids


# --- what it says ---

def test_progress_styles(case):
    case.write(Dockerfile="FROM scratch\nCOPY f /f\nLABEL a b\n", f="x")
    done = subprocess.run([PROGRAM, "build", "--local", "--progress=json", "--cache-dir", str(case.store), str(case.context)], capture_output=True, text=True)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"started", "done", "warning"} <= {e["event"] for e in events}, done.stderr
    quiet = subprocess.run([PROGRAM, "build", "--local", "-q", "--cache-dir", str(case.store), str(case.context)], capture_output=True, text=True)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", quiet.stdout) and not quiet.stderr, (quiet.stdout, quiet.stderr)
    plain = case.build().err
    assert re.search(r"^#\d+ \[1/1\] COPY f /f$", plain, re.M) and re.search(r"^#\d+ CACHED$", plain, re.M), plain
    assert "WARN: LegacyKeyValueFormat" in plain


def test_failing_step_shows_its_place(case):
    case.write(Dockerfile="FROM %s\nENV A=1\nRUN echo says this && exit 7\n" % BUSYBOX)
    err = case.build(expect=10).err
    assert "says this" in err and "Dockerfile:3" in err and "exit code: 7" in err, err


def test_a_dockerfile_cannot_move_the_cursor(case):
    case.write(Dockerfile="F\x1b[31mX\x1b]0;title\x07 busybox\n")
    assert "\x1b" not in case.build(expect=20).err
    case.write(Dockerfile="FROM scratch\nCOPY f /\x1b[31mred\n", f="x")
    assert "\x1b" not in case.build("--progress", "plain").err


def test_a_step_that_never_ends_its_line(case):
    case.write(Dockerfile="FROM %s\nRUN head -c 3000000 /dev/zero | tr '\\0' x\n" % BUSYBOX)
    assert case.build("--progress", "plain").err.count("x" * 1000) > 1000


def test_check_builds_nothing(case):
    case.write(Dockerfile="FROM nowhere.example/x\nLABEL a b\nCMD x\n")
    done = case.build("--check")
    assert b"LegacyKeyValueFormat" in done.stdout and not case.store.exists()
    report = json.loads(case.build("--check", "--format", "json").stdout)
    assert {f["rule"] for f in report["findings"]} == {"LegacyKeyValueFormat", "JSONArgsRecommended"}
    case.write(Dockerfile="# check=error=true\nFROM x\nCMD x\n")
    case.build("--check", expect=1)


def test_wrong_command_lines(case):
    case.write(Dockerfile=SCRATCH, f="x")
    for options in (["--nope"], ["-o", "type=nope"], ["--progress=nope"], ["--platform", "a/b/c/d/e"], ["--jobs", "x"], ["--cache-to", "type=gha"], ["--cache-from", "type=local"], ["-o", "type=oci"], ["--ssh", "default"], ["--secret", "src=x"]):
        case.build(*options, expect=2)


# --- secrets, agents, platforms ---

def test_secrets(case):
    (case.root / "s").write_text("from a file")
    case.env["TOKEN"] = "from the environment"
    case.write(Dockerfile="FROM %s\nRUN --mount=type=secret,id=a --mount=type=secret,id=b,env=B cat /run/secrets/a > /o; echo \" $B\" >> /o\n" % BUSYBOX)
    out = case.tree("--secret", "id=a,src=s", "--secret", "id=b,env=TOKEN")
    assert out["o"] == "from a file from the environment\n" and "run/secrets/a" not in out
    assert "from a file" not in case.build("--secret", "id=a,src=s", "--no-cache").err
    case.build("--secret", "id=a,src=missing", expect=20)


def test_ssh_socket(case):
    agent = subprocess.run(["ssh-agent", "-s", "-a", str(case.root / "agent")], capture_output=True, text=True, check=False) if shutil.which("ssh-agent") else None
    if agent is None or agent.returncode != 0:
        print("    (no ssh-agent: a bare socket stands in for it)")
        import socket
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(case.root / "agent"))
        server.listen()
    case.write(Dockerfile="FROM %s\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK > /o\n" % BUSYBOX)
    assert case.tree("--ssh", "default=%s" % (case.root / "agent"))["o"] == "/run/buildkit/ssh_agent.0\n"
    if agent is not None and agent.returncode == 0:
        os.kill(int(re.search(r"SSH_AGENT_PID=(\d+)", agent.stdout).group(1)), signal.SIGTERM)


def test_add_of_url_and_git(case):
    sha = hashlib.sha256(b"page").hexdigest()
    with serving({**with_query(make_repository(case)), "/page": b"page"}) as url:
        case.write(Dockerfile="FROM scratch\nADD --checksum=sha256:%s %s/page /d/\nADD %s/repo.git#side /r/\n" % (sha, url, url))
        out = case.tree()
        assert out["d/page"] == "page" and out["r/f"] == "side" and "r/.git/HEAD" not in out, out
        case.write(Dockerfile="FROM scratch\nADD --checksum=sha256:%s %s/page /d/\n" % ("0" * 64, url))
        assert "digest mismatch" in case.build(expect=10).err


def test_platform(case):
    case.write(Dockerfile="FROM scratch\nARG TARGETPLATFORM\nENV P=$TARGETPLATFORM\nCOPY f /f\n", f="x")
    reference = name_of(case, "arm")
    case.build("--platform", "linux/arm64", "--push", "-t", reference)
    _, manifest = manifest_of(reference)
    with urllib.request.urlopen("http://%s/v2/%s/blobs/%s" % (REGISTRY, reference.split("/", 1)[1].split(":")[0], manifest["config"]["digest"])) as answer:
        config = json.load(answer)
    assert config["architecture"] == "arm64" and "P=linux/arm64" in config["config"]["Env"]


# --- caches ---

STAGED = """FROM %s AS build
COPY a /a
RUN cat /a > /out && date +%%s%%N > /when
FROM %s
COPY --from=build /out /out
RUN cat /out > /copy
""" % (BUSYBOX, BUSYBOX)


def test_same_build_again_runs_nothing(case):
    case.write(Dockerfile=STAGED, a="1")
    assert len(case.ran(case.build().err)) == 4
    assert case.ran(case.build().err) == []
    began = time.monotonic()
    case.build()
    assert time.monotonic() - began < 0.5, "a build with everything cached takes %.2f s" % (time.monotonic() - began)
    assert len(case.ran(case.build("--no-cache").err)) == 4


def test_equal_output_of_a_stage_runs_nothing_after_it(case):
    case.write(Dockerfile=STAGED.replace("cat /a", "head -c 1 /a"), a="1 first")
    case.build()
    case.write(a="1 second")
    ran = case.ran(case.build().err)
    assert [r.split()[0] for r in ran] == ["COPY", "RUN"] and "/out && date" in ran[1], ran


def test_cache_to_registry_and_directory(case):
    case.write(Dockerfile=STAGED, a="1")
    reference, directory = name_of(case, "cache"), case.root / "cache"
    for where, to, source in (("registry", "type=registry,ref=%s,mode=max" % reference, reference), ("directory", "type=local,dest=%s,mode=max" % directory, "type=local,src=%s" % directory)):
        first = case.tree("--cache-to", to, store=case.root / ("first-" + where))
        done = case.build("--cache-from", source, "-o", "type=tar,dest=-", store=case.root / ("second-" + where))
        assert case.ran(done.err) == [], done.err
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            assert tar.extractfile("copy").read().decode() == first["copy"] == "1"
        case.build("--cache-from", source, "--push", "-t", name_of(case, "from-cache"), store=case.root / ("third-" + where))
        case.write(a="2")
        ran = case.ran(case.build("--cache-from", source, store=case.root / ("fourth-" + where)).err)
        assert len(ran) == 4, ran
        case.write(a="1")


def test_cache_of_the_image_alone_and_inline(case):
    case.write(Dockerfile="FROM %s\nCOPY a /a\nRUN cat /a > /b\nENV X=1\n" % BUSYBOX, a="1")
    plain, image = name_of(case, "min"), name_of(case, "inline")
    case.build("--cache-to", plain.replace(plain, "type=registry,ref=" + plain), "--cache-to", "type=inline", "--push", "-t", image, store=case.root / "one")
    for source in (plain, image):
        assert case.ran(case.build("--cache-from", source, store=case.root / ("two" + source[-8:])).err) == []


def test_cache_that_is_not_there(case):
    case.write(Dockerfile=SCRATCH, f="x")
    assert "no cache is imported" in case.build("--cache-from", name_of(case, "nothing-here"), "--cache-from", "type=local,src=/nowhere").err
    case.build("--cache-to", "type=registry,ref=127.0.0.1:1/x:1", expect=30)
    assert "is not exported" in case.build("--cache-to", "type=registry,ref=127.0.0.1:1/x:1,ignore-error=true").err


# --- interrupts ---

def leftovers(case):
    mounts = [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines() if str(case.root) in line]
    scratch = list((case.store / "tmp").iterdir()) if (case.store / "tmp").exists() else []
    return mounts, scratch


def test_interrupt_leaves_nothing(case):
    marker = "31%d" % os.getpid()
    case.write(Dockerfile="FROM %s\nRUN echo begun && (sleep %s & sleep %s)\n" % (BUSYBOX, marker, marker))
    for sent in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(case.command(), stderr=subprocess.PIPE, env=case.env)
        for line in process.stderr:
            if b"begun" in line and b"echo" not in line:
                break
        process.send_signal(sent)
        began = time.monotonic()
        assert process.wait(20) == 130
        assert time.monotonic() - began < 5
        assert leftovers(case) == ([], []), leftovers(case)
        assert subprocess.run(["pgrep", "-f", "^sleep " + marker], capture_output=True).stdout == b""
    case.write(Dockerfile=SCRATCH, f="x")
    case.build()


def test_killed_build_is_cleaned_up_by_the_next(case):
    marker = "32%d" % os.getpid()
    case.write(Dockerfile="FROM %s\nRUN echo begun && sleep %s\n" % (BUSYBOX, marker))
    process = subprocess.Popen(case.command(), stderr=subprocess.PIPE, env=case.env)
    for line in process.stderr:
        if b"begun" in line and b"echo" not in line:
            break
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20  # the kernel ends the step after the builder, not with it
    while (left := subprocess.run(["pgrep", "-f", "^sleep " + marker], capture_output=True).stdout) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == b"", left
    case.write(Dockerfile=SCRATCH, f="x")
    case.build()
    assert leftovers(case) == ([], []), leftovers(case)


def test_two_builds_beside_each_other(case):
    case.write(Dockerfile=STAGED, a="1")
    both = [subprocess.Popen(case.command(), stderr=subprocess.PIPE, env=case.env) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()


# --- without root ---

USER = 65534  # nobody: newuidmap wants a name


def as_user(case, *options):
    """The command as a user who is nobody else."""
    program = case.root / "stagewright"
    if not program.exists():
        shutil.copy(PROGRAM, program)
    os.chmod(case.root, 0o755)
    store = case.root / "user-store"
    store.mkdir(exist_ok=True)
    os.chown(store, USER, USER)
    command = [str(program), *case.command(*options, store=store)[1:]]
    return subprocess.run(["setpriv", "--reuid=%d" % USER, "--regid=%d" % USER, "--clear-groups", *command], capture_output=True, env={**case.env, "HOME": str(store)}, timeout=120)


def test_without_root_and_without_ranges_is_refused(case):
    case.write(Dockerfile=SCRATCH, f="x")
    done = as_user(case)
    assert done.returncode == 78 and b"/etc/subuid has no range" in done.stderr and b"run it as root" in done.stderr, (done.returncode, done.stderr)


def test_without_root(case):
    if not shutil.which("newuidmap") or not shutil.which("crun"):
        print("    (skipped: needs newuidmap and crun)")
        return
    ranges = {path: pathlib.Path(path).read_text() for path in ("/etc/subuid", "/etc/subgid")}
    case.write(Dockerfile="""FROM %s
COPY --chown=1000:1000 a /a
RUN id -u > /root-is && chown 33:44 /a && rm /etc/passwd && rm -r /root && mkdir /root && echo x > /root/new
RUN --network=none ls /sys/class/net > /net
USER 1000
RUN id -u > /tmp/user
""" % BUSYBOX, a="1")
    try:
        for path, text in ranges.items():
            pathlib.Path(path).write_text(text + "nobody:700000:65536\n")
        (case.root / "out").mkdir()
        os.chown(case.root / "out", USER, USER)
        done = as_user(case, "-o", "type=tar,dest=%s" % (case.root / "out/o.tar"), "-o", "type=oci,dest=%s" % (case.root / "out/i.tar"))
        assert done.returncode == 0, done.stderr.decode()
        again = as_user(case)
        assert again.returncode == 0 and case.ran(again.stderr.decode()) == [], again.stderr.decode()
    finally:
        for path, text in ranges.items():
            pathlib.Path(path).write_text(text)
    with tarfile.open(case.root / "out/o.tar") as tar:
        assert (tar.getmember("a").uid, tar.getmember("a").gid) == (33, 44)
        assert tar.extractfile("root-is").read() == b"0\n" and tar.extractfile("tmp/user").read() == b"1000\n"
        assert tar.extractfile("net").read() == b"lo\n" and "etc/passwd" not in tar.getnames()
        assert [n for n in tar.getnames() if n.startswith("root/")] == ["root/new"]


def main():
    global PROGRAM
    if os.geteuid() != 0 or not (shutil.which("crun") or shutil.which("runc")) or not shutil.which("git"):
        print("SKIP: needs root, an OCI runtime and git")
        return 77
    try:
        urllib.request.urlopen("http://%s/v2/" % REGISTRY, timeout=5).close()
    except OSError as error:
        print("SKIP: no registry at %s: %s" % (REGISTRY, error))
        return 77
    PROGRAM = os.path.abspath(sys.argv[1])
    pattern = sys.argv[3] if len(sys.argv) > 3 else ""
    failed = 0
    for name, function in list(globals().items()):
        if not name.startswith("test_") or not re.search(pattern, name):
            continue
        with tempfile.TemporaryDirectory(prefix="local-build-") as root:
            try:
                function(Case(root))
                print("ok   " + name, flush=True)
            except (AssertionError, KeyError, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print("FAIL %s: %s: %s" % (name, type(error).__name__, error), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
