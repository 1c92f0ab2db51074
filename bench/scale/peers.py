"""What the controllers that run.py compares with have in common. peers.sh builds them, and keeps the YAML that a module
ships beside its program."""
import json
import os
import pathlib
import re
import subprocess

from measure import report, say

HERE = pathlib.Path(__file__).resolve().parent


def directory(name, on=None):
    """Where peers.sh has put it; empty if it, or what it runs `on`, cannot be built here. Asked for first outside of the
    network namespace, in which nothing can be fetched; the environment tells the program inside."""
    key = f"STAGEWRIGHT_{name.upper()}"
    if key not in os.environ:
        if on and not directory(on):
            os.environ[key] = skip(name, f"it runs on {on}, which cannot be built here")
        else:
            done = subprocess.run([HERE / "peers.sh", name], stdout=subprocess.PIPE, text=True)
            os.environ[key] = done.stdout.strip() if done.returncode == 0 else skip(name, f"it cannot be built here, peers.sh failed with code {done.returncode}")
    return os.environ[key]


def skip(name, why):
    say(f"SKIPPED: {name}: {why}")
    report("peers", controller=name, skipped=why)
    return ""


def version(name):
    return f"{name} {pathlib.Path(directory(name)).name.split('-')[1]}"


def manifests(name, *patterns):
    """Its YAML; the CRDs in it without conversion, for which a webhook would have to run."""
    files = [f for pattern in patterns for f in sorted(pathlib.Path(directory(name), "config").glob(f"{pattern}.yaml"))]
    return "\n---\n".join(re.sub(r"\n  conversion:(\n    .*)+", "", f.read_text()) for f in files)


class Controller:
    """Processes of a peer, with what Replica has for ours."""

    def __init__(self, plane):
        self.plane, self.processes = plane, {}

    def start(self, name, flag, account, *arguments, env):
        """With a token of the account (namespace:name) by the flag for a kubeconfig; some names are too long for a certificate."""
        path = self.plane.kubeconfig("tester", name=name)
        config = json.loads(path.read_text())
        namespace, user = account.split(":")
        config["users"][0]["user"] = {"token": self.plane.kubectl("create", "token", user, "-n", namespace, "--duration", "24h").strip()}
        path.write_text(json.dumps(config))
        self.processes[name] = self.plane.start(name, pathlib.Path(directory(name), f"bin/{name}-controller"), flag, path, *arguments, env=env, niceness=-5)

    def check(self):
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name}'s controller ended"

    def pids(self):
        return [p.pid for p in self.processes.values()]

    def stop(self):
        for name, process in reversed(self.processes.items()):
            process.terminate()
            process.wait(timeout=60)
            self.plane.processes.pop(name)
