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


class Stagewright:
    name = "stagewright"

    def __init__(self, work):
        self.cache = work / "stagewright"
        self.group = meter.Group(self.name)

    def version(self):
        return first_line([ENV["STAGEWRIGHT"], "--version"])

    def command(self, context, repository, anew, compression):
        output = ["--push"] if compression == "gzip" else ["--output", "type=registry,compression=" + compression]
        return ([ENV["STAGEWRIGHT"], "build", "--local", "-q", "--cache-dir", str(self.cache), "-t",
                 "%s/%s" % (REGISTRY, repository)] + output + ["--no-cache"] * anew + [str(context)])

    def close(self):
        self.group.close()


class BuildKit:
    name = "buildkit"

    def __init__(self, work):
        self.group = meter.Group(self.name)
        self.state = work / "buildkit"
        self.state.mkdir()
        config = self.state / "buildkitd.toml"
        config.write_text('[worker.oci]\n  snapshotter = "overlayfs"\n  gc = false\n[worker.containerd]\n  enabled = false\n'
                          '[registry."%s"]\n  http = true\n' % REGISTRY)
        self.folder = pathlib.Path(ENV["BUILDKIT"])
        self.socket = self.state / "sock"
        self.log = open(self.state / "log", "wb")
        self.daemon = self.group.popen(
            [str(self.folder / "buildkitd"), "--config", str(config), "--root", str(self.state / "root"), "--addr",
             "unix://%s" % self.socket, "--oci-worker-net", "host", "--oci-worker-binary", shutil.which(ENV["RUNC"]) or ENV["RUNC"]],
            stdout=self.log, stderr=self.log)
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

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(30)
        self.log.close()
        self.group.close()


class Buildah:
    name = "buildah"

    def __init__(self, work):
        self.group = meter.Group(self.name)
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

    def close(self):
        subprocess.run(["buildah"] + self.options + ["rmi", "-af"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.group.close()


class Kaniko:
    """The executor replaces the root it runs in: each build gets a root of its own."""
    name = "kaniko"

    def __init__(self, work):
        self.group = meter.Group(self.name)
        self.root = work / "kaniko"

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

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)
        self.group.close()


def available(work):
    chosen = [Stagewright(work), BuildKit(work)]
    if shutil.which("buildah") and ENV.get("BUILDAH") != "none":
        chosen.append(Buildah(work))
    if ENV.get("KANIKO"):
        chosen.append(Kaniko(work))
    return chosen
