"""The builders that are compared: how each is started, told to build and push, and what it calls itself."""
import os
import pathlib
import shlex
import shutil
import subprocess
import time

import meter
from rows import REGISTRY

ENV = os.environ


def quote(argv):
    return shlex.join(argv) + " >/dev/null"


def first_line(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]


class Builder:
    """Has a control group of its own; `stack` takes everything down again, whatever happens."""

    runs = int(ENV["RUNS"])

    def __init__(self, stack):
        self.group = stack.enter_context(meter.Group(self.name))


class Stagewright(Builder):
    name = "stagewright"

    def __init__(self, work, stack):
        super().__init__(stack)
        self.cache = work / "stagewright"

    def version(self):
        return first_line([ENV["STAGEWRIGHT"], "--version"])

    def command(self, context, repository, anew, compression):
        output = ["--push"] if compression == "gzip" else ["--output", "type=registry,compression=" + compression]
        return ([ENV["STAGEWRIGHT"], "build", "--local", "-q", "--cache-dir", str(self.cache), "-t",
                 "%s/%s" % (REGISTRY, repository)] + output + ["--no-cache"] * anew + [str(context)])


class BuildKit(Builder):
    name = "buildkit"

    def __init__(self, work, stack):
        super().__init__(stack)
        self.state = work / "buildkit"
        self.state.mkdir()
        config = self.state / "buildkitd.toml"
        config.write_text('[worker.oci]\n  snapshotter = "overlayfs"\n  gc = false\n[worker.containerd]\n  enabled = false\n'
                          '[registry."%s"]\n  http = true\n' % REGISTRY)
        self.folder = pathlib.Path(ENV["BUILDKIT"])
        runtime = self.state / "bin"  # the daemon takes no runtime by a path: it looks for "runc" in PATH
        runtime.mkdir()
        (runtime / "runc").symlink_to(shutil.which(ENV["RUNC"]) or ENV["RUNC"])
        self.socket = self.state / "sock"
        self.log = open(self.state / "log", "wb")
        self.daemon = self.group.popen(
            [str(self.folder / "buildkitd"), "--config", str(config), "--root", str(self.state / "root"), "--addr",
             "unix://%s" % self.socket, "--oci-worker-net", "host"],
            env={**ENV, "PATH": "%s:%s" % (runtime, ENV["PATH"])}, stdout=self.log, stderr=self.log)
        stack.callback(self.stop)
        while subprocess.run(self.control() + ["debug", "workers"], capture_output=True).returncode != 0:
            if self.daemon.poll() is not None:
                raise SystemExit("bench: buildkitd: " + (self.state / "log").read_text()[-2000:])
            time.sleep(0.2)

    def control(self):
        return [str(self.folder / "buildctl"), "--addr", "unix://%s" % self.socket]

    def version(self):
        """Of the module it was built from: a build from a module of ours leaves its own version empty."""
        modules = subprocess.run(["go", "version", "-m", str(self.folder / "buildkitd")], capture_output=True, text=True, check=True)
        return next("BuildKit " + line.split()[2] for line in modules.stdout.splitlines() if line.split()[1:2] == ["github.com/moby/buildkit"])

    def command(self, context, repository, anew, compression):
        output = "type=image,name=%s/%s,push=true" % (REGISTRY, repository)
        if compression != "gzip":
            output += ",compression=%s,oci-mediatypes=true" % compression
        return self.control() + ["build", "--progress", "quiet", "--frontend",
                "dockerfile.v0", "--local", "context=%s" % context, "--local", "dockerfile=%s" % context, "--opt",
                "attest:provenance=disabled=true", "--output", output] + ["--no-cache"] * anew

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(30)
        self.log.close()


class Buildah(Builder):
    name = "buildah"
    runs = int(ENV.get("BUILDAH_RUNS", ENV["RUNS"]))

    def __init__(self, work, stack):
        super().__init__(stack)
        self.state = work / "buildah"
        self.options = ["--root", str(self.state / "root"), "--runroot", str(self.state / "run"), "--storage-driver", "overlay"]

    def version(self):
        return " ".join(first_line(["buildah", "--version"]).split()[:3])

    def command(self, context, repository, anew, compression):
        image = "%s/%s" % (REGISTRY, repository)
        build = ["buildah"] + self.options + ["bud", "-q", "--layers", "--isolation", "oci", "--runtime", ENV["RUNC"], "--network",
                                              "host", "--jobs", "10", "--tls-verify=false", "-t", image]
        push = ["buildah"] + self.options + ["push", "-q", "--tls-verify=false", "--compression-format", compression, image]
        return ["sh", "-ec", "%s; %s" % (quote(build + ["--no-cache"] * anew + [str(context)]), quote(push))]


class Kaniko(Builder):
    """The executor replaces the root it runs in: each build gets a root of its own."""
    name = "kaniko"

    def __init__(self, work, stack):
        super().__init__(stack)
        self.root = work / "kaniko"
        stack.callback(shutil.rmtree, self.root, ignore_errors=True)

    def version(self):
        return first_line([ENV["KANIKO"], "version"])

    def command(self, context, repository, anew, compression):
        executor = ["/kaniko/executor", "--force", "--context", "dir:///kaniko/context", "--destination",
                    "%s/%s" % (REGISTRY, repository), "--insecure", "--insecure-pull", "--compression", compression, "--log-format",
                    "text", "-v", "error"] + ["--cache=true", "--insecure-registry", REGISTRY] * (not anew)
        prepare = ('rm -rf %(r)s; mkdir -p %(r)s/kaniko/context %(r)s/proc %(r)s/etc %(r)s/tmp; cp %(k)s %(r)s/kaniko/executor; '
                   'mount --bind %(c)s %(r)s/kaniko/context; mount -t proc proc %(r)s/proc; ')
        return ["unshare", "-m", "sh", "-ec", prepare % {"r": self.root, "k": ENV["KANIKO"], "c": context} +
                "exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot %s " % self.root + quote(executor)]


def start_available(work, stack):
    chosen = [Stagewright, BuildKit]
    if shutil.which("buildah") and ENV.get("BUILDAH") != "none":
        chosen.append(Buildah)
    if ENV.get("KANIKO"):
        chosen.append(Kaniko)
    return [make(work, stack) for make in chosen]


def left_out():
    """What could have been measured and was not."""
    return ["kaniko (no executor: set KANIKO)"] * (not ENV.get("KANIKO")) + ["buildah"] * (not shutil.which("buildah") or ENV.get("BUILDAH") == "none")
