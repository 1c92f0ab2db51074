#!/usr/bin/env python3
"""Builds small Dockerfiles with the local engine and compares them with what BuildKit made of them.

    run.py                      compare (exit 1 on a difference, 77 where it cannot run)
    run.py --record             write expected/ anew from BuildKit: STAGEWRIGHT_ORACLE names a folder with buildkitd
                                and buildctl, STAGEWRIGHT_RUNC a runc for them
    run.py --list, run.py NAME…

Needs root, crun or runc, and a registry with `busybox` (STAGEWRIGHT_TEST_REGISTRY, default 127.0.0.1:5001).
Expectations are never written from our own results.
"""
import argparse
import importlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import image  # noqa: E402

REGISTRY = os.environ.get("STAGEWRIGHT_TEST_REGISTRY", "127.0.0.1:5001")
ORACLE_VERSION = "BuildKit 0.34.2"


def load_cases():
    cases = {}
    for path in sorted((HERE / "cases").glob("*.py")):
        group = path.stem
        for name, case in importlib.import_module("cases." + group).CASES.items():
            cases[group + "/" + name] = case
    return cases


def write_context(case, directory):
    """Files: text, or a dictionary with link, mode, hardlink, bytes, fifo, or None for a directory."""
    for name, what in case.get("files", {}).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        what = {"text": what} if isinstance(what, str) else what if what is not None else {"directory": True}
        if what.get("directory"):
            path.mkdir(exist_ok=True)
        elif "link" in what:
            path.symlink_to(what["link"])
            continue
        elif "hardlink" in what:
            os.link(directory / what["hardlink"], path)
            continue
        elif what.get("fifo"):
            os.mkfifo(path)
        else:
            path.write_bytes(what.get("bytes", what.get("text", "").encode()))
        path.chmod(what.get("mode", 0o755 if what.get("directory") else 0o644))
    for path in sorted(directory.rglob("*"), reverse=True):
        # BuildKit takes a file of the same name, size and time for one that it has already.
        own = zlib.crc32(path.read_bytes()) % 1_000_000 if path.name == ".dockerignore" else 0
        os.utime(path, (1_000_000_000 + own, 1_000_000_000 + own), follow_symlinks=False)


def base_layers(case):
    return 0 if case.get("base") == "scratch" else base_layers.of_busybox


def find_base():
    accept = "application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.v2+json"
    request = urllib.request.Request("http://%s/v2/busybox/manifests/latest" % REGISTRY, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        base_layers.of_busybox = len(json.load(answer)["layers"])


class Stagewright:
    def __init__(self, binary):
        self.binary = binary
        self.cache = tempfile.mkdtemp(prefix="conformance-cache-")

    def build(self, case, context, dockerfile, archive):
        command = [self.binary, "build", "--local", "--progress=plain", "-f", str(dockerfile), "--output",
                   "type=oci,dest=%s" % archive, "--cache-dir", self.cache,
                   "--build-context", "busybox=docker-image://%s/busybox:latest" % REGISTRY]
        for name, value in case.get("args", {}).items():
            command += ["--build-arg", "%s=%s" % (name, value)]
        for name, value in case.get("secrets", {}).items():
            (context.parent / ("secret-" + name)).write_text(value)
            command += ["--secret", "id=%s,src=%s" % (name, context.parent / ("secret-" + name))]
        if "target" in case:
            command += ["--target", case["target"]]
        return subprocess.run(command + [str(context)], capture_output=True, text=True, errors="replace", timeout=120)

    def close(self):
        shutil.rmtree(self.cache, ignore_errors=True)


class BuildKit:
    def __init__(self, folder, runc):
        self.folder = pathlib.Path(folder)
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="oracle-"))
        config = self.state / "buildkitd.toml"
        config.write_text('[worker.oci]\n  snapshotter = "overlayfs"\n  gc = false\n[worker.containerd]\n  enabled = false\n'
                          '[registry."%s"]\n  http = true\n' % REGISTRY)
        arguments = [self.folder / "buildkitd", "--config", config, "--root", self.state / "root", "--addr",
                     "unix://%s" % (self.state / "sock"), "--oci-worker-net", "host", "--oci-worker-binary", runc]
        self.log = open(self.state / "log", "wb")
        self.daemon = subprocess.Popen([str(a) for a in arguments], stdout=self.log, stderr=self.log)
        while not (self.state / "sock").exists():
            time.sleep(0.05)

    def build(self, case, context, dockerfile, archive):
        command = [str(self.folder / "buildctl"), "--addr", "unix://%s" % (self.state / "sock"), "build", "--progress=plain",
                   "--frontend", "dockerfile.v0", "--local", "context=%s" % context, "--local",
                   "dockerfile=%s" % dockerfile.parent, "--opt", "filename=%s" % dockerfile.name,
                   "--opt", "context:busybox=docker-image://%s/busybox:latest" % REGISTRY,
                   "--output", "type=oci,dest=%s" % archive, "--opt", "attest:provenance=disabled=true"]
        for name, value in case.get("args", {}).items():
            command += ["--opt", "build-arg:%s=%s" % (name, value)]
        for name, value in case.get("secrets", {}).items():
            (context.parent / ("secret-" + name)).write_text(value)
            command += ["--secret", "id=%s,src=%s" % (name, context.parent / ("secret-" + name))]
        if "target" in case:
            command += ["--opt", "target=%s" % case["target"]]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300)

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(20)
        subprocess.run(["umount", "-R", str(self.state / "root")], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.state, ignore_errors=True)


def failed_line(text):
    """The number of the instruction that failed, as BuildKit (`>>>`) or we (`Dockerfile:7:`) show it."""
    ours = re.findall(r"^(?:ERROR: )?\S*Dockerfile:(\d+)[:\s]", text, re.M)
    theirs = re.findall(r"^\s*(\d+) \| >>> ", text, re.M)
    return int(theirs[0]) if theirs else int(ours[0]) if ours else 0


def build(builder, case):
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        root = pathlib.Path(temporary)
        context = root / "context"
        context.mkdir()
        write_context(case, context)
        dockerfile = root / "Dockerfile"
        dockerfile.write_text(case["dockerfile"])
        result = builder.build(case, context, dockerfile, root / "image.tar")
        if result.returncode != 0:
            return {"fails": True, "line": failed_line(result.stderr)}, result.stderr
        return image.describe(root / "image.tar", base_layers(case)), result.stderr


def differences(expected, found, path=""):
    if isinstance(expected, dict) and isinstance(found, dict):
        out = []
        for key in sorted(set(expected) | set(found)):
            out += differences(expected.get(key, "(absent)"), found.get(key, "(absent)"), path + "/" + key)
        return out
    if path == "/line" and expected == 0:
        return []  # BuildKit shows no place; we may
    return [] if expected == found else ["%s: expected %s, got %s" % (path, json.dumps(expected), json.dumps(found))]


def expected_path(group):
    return HERE / "expected" / (group + ".json")


def load_expected():
    out = {}
    for path in (HERE / "expected").glob("*.json"):
        for name, value in json.loads(path.read_text())["cases"].items():
            out[path.stem + "/" + name] = value
    return out


def record(cases, names):
    builder = BuildKit(os.environ["STAGEWRIGHT_ORACLE"], os.environ.get("STAGEWRIGHT_RUNC", "runc"))
    expected = load_expected()
    try:
        for name in names:
            expected[name], log = build(builder, cases[name])
            print("recorded %s%s" % (name, " (fails: %s)" % log.strip().splitlines()[-1] if "fails" in expected[name] else ""),
                  flush=True)
    finally:
        builder.close()
    for group in sorted({name.split("/")[0] for name in cases}):
        mine = {n.split("/", 1)[1]: v for n, v in sorted(expected.items()) if n in cases and n.startswith(group + "/")}
        expected_path(group).write_text(json.dumps({"oracle": ORACLE_VERSION, "cases": mine}, indent=1, sort_keys=True) + "\n")
    return 0


def compare(cases, names, binary):
    expected = load_expected()
    known = json.loads((HERE / "known.json").read_text())  # docs/compatibility.md
    builder = Stagewright(binary)
    wrong = []
    try:
        for name in names:
            if name not in expected:
                wrong.append(name)
                print("FAIL %s: no expectation is recorded" % name, flush=True)
                continue
            found, log = build(builder, cases[name])
            lines = differences(expected[name], found)
            if lines and name in known:
                print("known %s: %s" % (name, known[name]), flush=True)
                continue
            if name in known:
                lines = ["is listed in known.json and does not differ any more"]
            print("%s %s" % ("FAIL" if lines else "ok  ", name), flush=True)
            if lines:
                wrong.append(name)
                print("    " + "\n    ".join(lines[:12]))
                if "fails" in found:
                    print("    " + "\n    ".join(log.strip().splitlines()[-6:]))
    finally:
        builder.close()
    print("%d of %d cases as %s has them, %d known differences" %
          (len(names) - len(wrong) - len(set(known) & set(names)), len(names), ORACLE_VERSION, len(set(known) & set(names))))
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--missing", action="store_true", help="record only what has no expectation yet")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--stagewright", default=os.environ.get("STAGEWRIGHT", "stagewright"))
    parser.add_argument("names", nargs="*", help="names or prefixes of cases")
    options = parser.parse_args()
    cases = load_cases()
    names = [n for n in cases if not options.names or any(n.startswith(p) for p in options.names)]
    if options.list:
        print("\n".join(names))
        return 0
    if os.geteuid() != 0 or not (shutil.which("crun") or shutil.which("runc")):
        print("SKIP: needs root and an OCI runtime")
        return 77
    try:
        find_base()
    except OSError as error:
        print("SKIP: no registry with busybox at %s: %s" % (REGISTRY, error))
        return 77
    if options.record:
        known = load_expected() if options.missing else {}
        return record(cases, [n for n in names if n not in known])
    return compare(cases, names, options.stagewright)


if __name__ == "__main__":
    sys.exit(main())
