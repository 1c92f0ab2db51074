"""The builders that cases go through: BuildKit, which is the oracle, and the local engine."""
import dataclasses
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

import output

REGISTRY = os.environ.get("STAGEWRIGHT_TEST_REGISTRY", "127.0.0.1:5001")
# What a case may say in FROM without a registry: the images that stand in the test registry under these names.
BASES = {"busybox": "busybox:latest", "debian": "debian:12", "golang": "golang:latest", "toolchain": "conformance-toolchain:1",
         "standins": "conformance-standins:1"}


@dataclasses.dataclass
class Request:
    context: pathlib.Path
    dockerfile: pathlib.Path
    archive: pathlib.Path
    target: str
    args: dict
    labels: dict
    secrets: dict  # name: file
    contexts: dict  # name: directory, or a text with a scheme
    platform: str
    group: str = ""  # cases of different groups share no cache


@functools.cache
def layers_of(base):
    """The number of layers of a base image. OSError where the registry has it not."""
    accept = "application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.v2+json"
    name, tag = BASES[base].split(":")
    request = urllib.request.Request("http://%s/v2/%s/manifests/%s" % (REGISTRY, name, tag), headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return len(json.load(answer)["layers"] or [])


def contexts_of(request):
    """The named contexts of a case, and the bases that it names, which it may replace."""
    text = request.dockerfile.read_text(errors="replace")
    bases = {name: "docker-image://%s/%s" % (REGISTRY, image) for name, image in BASES.items()
             if name == "busybox" or re.search(r"\b%s\b" % name, text)}
    return {**bases, **request.contexts}


class Stagewright:
    def __init__(self, binary):
        self.binary = binary
        self.cache = tempfile.mkdtemp(prefix="conformance-cache-")

    def build(self, request):
        command = [self.binary, "build", "--local", "--progress=plain", "-f", str(request.dockerfile), "--output",
                   "type=oci,dest=%s" % request.archive, "--cache-dir", os.path.join(self.cache, request.group)]
        for option, pairs in (("--build-context", contexts_of(request)), ("--build-arg", request.args),
                              ("--label", request.labels)):
            for name, value in pairs.items():
                command += [option, "%s=%s" % (name, value)]
        for name, path in request.secrets.items():
            command += ["--secret", "id=%s,src=%s" % (name, path)]
        command += ["--target", request.target] if request.target else []
        command += ["--platform", request.platform] if request.platform else []
        return subprocess.run(command + [str(request.context)], capture_output=True, text=True, errors="replace",
                              timeout=600)

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
        deadline = time.monotonic() + 60
        while not (self.state / "sock").exists():
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("buildkitd ended or does not listen: see " + str(self.state / "log"))
            time.sleep(0.05)

    def build(self, request):
        command = [str(self.folder / "buildctl"), "--addr", "unix://%s" % (self.state / "sock"), "build", "--progress=rawjson",
                   "--frontend", "dockerfile.v0", "--local", "context=%s" % request.context, "--local",
                   "dockerfile=%s" % request.dockerfile.parent, "--opt", "filename=%s" % request.dockerfile.name,
                   "--output", "type=oci,dest=%s" % request.archive, "--opt", "attest:provenance=disabled=true"]
        for number, (name, value) in enumerate(contexts_of(request).items()):
            if isinstance(value, pathlib.Path):
                command += ["--local", "named%d=%s" % (number, value)]
                value = "local:named%d" % number
            command += ["--opt", "context:%s=%s" % (name, value)]
        for option, pairs in (("build-arg:", request.args), ("label:", request.labels)):
            for name, value in pairs.items():
                command += ["--opt", "%s%s=%s" % (option, name, value)]
        for name, path in request.secrets.items():
            command += ["--secret", "id=%s,src=%s" % (name, path)]
        command += ["--opt", "target=%s" % request.target] if request.target else []
        command += ["--opt", "platform=%s" % request.platform] if request.platform else []
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=900)
        result.stderr = output.plain_progress(result.stderr)
        return result

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(20)
        self.log.close()
        subprocess.run(["umount", "-R", str(self.state / "root")], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.state, ignore_errors=True)
