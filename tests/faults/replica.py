"""Replicas of the operator under test, each behind its own proxy so that the audit log tells them apart and faults
can be put between it and the API server."""
import json
import os
import signal
import socket
import subprocess
import urllib.request

from control_plane import ROOT, SYSTEM_NAMESPACE, order, wait_until


def operator_program():
    return os.environ.get("STAGEWRIGHT_OPERATOR") or str(ROOT / "build/dev/bin/stagewright-operator")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Replica:
    """One operator process, `name` in the audit log. Without `leader_election` it works at once."""

    def __init__(self, plane, name, namespace=None, leader_election=False, flags=(), direct=False, env=None):
        self.plane, self.name, self.namespace, self.env = plane, name, namespace, env
        self.metrics_port = free_port()
        self.process = None
        server = {}
        if not direct:
            self.listen, self.control = free_port(), free_port()
            plane.start(f"proxy-{name}", plane.standin, "proxy", *plane.client_flags("operator"),
                        "--listen", f"127.0.0.1:{self.listen}", "--control", f"127.0.0.1:{self.control}", "--name", name)
            wait_until("the proxy", 10, self.proxy_answers)
            server = {"server": f"http://127.0.0.1:{self.listen}"}
        config = plane.kubeconfig("operator", name=f"operator-{name}", **server)
        self.command = [operator_program(), "--kubeconfig", config, "--builder-image", "standin.invalid/builder@sha256:" + "1" * 64,
                        "--empty-image", "standin.invalid/empty@sha256:" + "2" * 64, "--metrics-bind", f"127.0.0.1:{self.metrics_port}",
                        f"--leader-elect={'true' if leader_election else 'false'}", "--lease-namespace", SYSTEM_NAMESPACE,
                        *(["--namespace", namespace] if namespace else []), *flags]

    def proxy_answers(self):
        try:
            return order(self.control, "GET", "/state")
        except OSError:
            return None

    # ---- process ----

    def start(self, ready=True):
        self.process = self.plane.start(f"operator-{self.name}", *self.command, env=self.env, niceness=-5)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        wait_until(f"operator {self.name} to be ready", seconds, lambda: self.probe("/readyz") == 200, 0.02)

    def probe(self, path):
        """Status code, 0 without an answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def metric(self, line_start):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            return sum(float(line.rsplit(" ", 1)[1]) for line in answer.read().decode().splitlines() if line.startswith(line_start))

    def is_leader(self):
        return self.metric("leader_election_master_status") == 1

    def send(self, with_signal):
        self.process.send_signal(with_signal)

    def wait(self, seconds=30):
        """Its exit code; negative: the signal."""
        code = self.process.wait(timeout=seconds)
        self.plane.processes.pop(f"operator-{self.name}", None)
        return code

    def has_ended(self):
        return self.process.poll() is not None

    def stop(self, with_signal=signal.SIGTERM, seconds=40):
        if self.process.poll() is None:
            self.send(with_signal)
        return self.wait(seconds)

    def log(self):
        return (self.plane.directory / f"operator-{self.name}.log").read_text(errors="replace")

    # ---- faults ----

    def faults(self, *faults):
        """What happens to its requests from now on; see `fault` in standin/proxy.go. None: nothing does."""
        order(self.control, "PUT", "/faults", [{"Path": "", **f} for f in faults])

    def writes(self):
        return json.loads(order(self.control, "GET", "/state"))["writes"] or []

    def tripped(self):
        return json.loads(order(self.control, "GET", "/state"))["tripped"] or []

    def reset(self):
        order(self.control, "PUT", "/reset")
