"""CPU time and memory of everything a builder starts, by a control group of its own.

The group is also the root of a cgroup namespace, so that the groups which a container runtime makes lie below it and count.
Memory is anonymous memory of all processes together, looked at every few milliseconds: what the page cache holds is no
builder's need."""
import ctypes
import os
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
INTERVAL = 0.005
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def enter_network_namespace():
    """A loopback of our own: what goes over it is ours, and no port is taken."""
    if LIBC.unshare(CLONE_NEWNET) != 0:
        raise SystemExit("bench: unshare: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def loopback_bytes():
    with open("/proc/net/dev") as lines:
        for line in lines:
            name, _, fields = line.partition(":")
            if name.strip() == "lo":
                return int(fields.split()[8])
    raise SystemExit("bench: no loopback")


def remove_group(path):
    """A group is busy for a moment after its last process went."""
    for child in sorted((p for p in path.rglob("*") if p.is_dir()), reverse=True):
        child.rmdir()
    for _ in range(100):
        try:
            return path.rmdir()
        except OSError:
            time.sleep(0.05)
    print("bench: control group %s is still in use" % path, file=sys.stderr)


class Group:
    def __init__(self, name):
        name = "bench-%d-%s" % (os.getpid(), name)
        self.unified = not (ROOT / "cpuacct").exists()
        self.paths = [ROOT / name] if self.unified else [ROOT / controller / name for controller in ("cpuacct", "memory")]
        for path in self.paths:
            path.mkdir()
        if self.unified:  # processes are in leaves only
            (ROOT / "cgroup.subtree_control").write_text("+memory +cpu")
            (self.paths[0] / "main").mkdir()
        self.leaves = [path / "main" if self.unified else path for path in self.paths]
        self.holder = self.hold_namespaces()
        self.namespaces = [os.open("/proc/%d/ns/%s" % (self.holder.pid, kind), os.O_RDONLY | os.O_CLOEXEC)
                           for kind in ("cgroup", "mnt")]

    def hold_namespaces(self):
        """A process whose cgroup namespace begins at the group, and which sees the group as the whole hierarchy."""
        mounts = [(ROOT, "cgroup2", "")] if self.unified else [(ROOT / c, "cgroup", "-o " + c) for c in ("cpuacct", "memory")]
        script = "".join("umount %s; mount -t %s %s %s %s; " % (at, kind, options, kind, at) for at, kind, options in mounts)
        script += "".join("echo $$ > %s/main/cgroup.procs; " % ROOT for _ in range(self.unified))
        holder = subprocess.Popen(["unshare", "-m", "-C", "sh", "-ec", script + "echo ready; exec cat"],
                                  preexec_fn=lambda: self.join(self.paths), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if holder.stdout.readline() != b"ready\n":
            raise SystemExit("bench: cannot make a cgroup namespace")
        return holder

    @staticmethod
    def join(paths):
        for path in paths:
            file = os.open(str(path / "cgroup.procs"), os.O_WRONLY)
            os.write(file, b"0")
            os.close(file)

    def enter(self):
        """In a new process, before it becomes the builder."""
        self.join(self.leaves)
        for namespace in self.namespaces:
            if LIBC.setns(namespace, 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def popen(self, argv, **options):
        return subprocess.Popen(argv, preexec_fn=self.enter, cwd="/", **options)

    def cpu_seconds(self):
        if self.unified:
            return int((self.paths[0] / "cpu.stat").read_text().split()[1]) / 1e6
        return int((self.paths[0] / "cpuacct.usage").read_text()) / 1e9

    def memory(self):
        wanted = "anon" if self.unified else "total_rss"
        for line in (self.paths[-1] / "memory.stat").read_text().splitlines():
            key, value = line.split()
            if key == wanted:
                return int(value)
        raise SystemExit("bench: no %s in memory.stat" % wanted)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for namespace in self.namespaces:
            os.close(namespace)
        self.holder.stdin.close()  # the end of its input is the end of it, also when we are killed
        self.holder.wait()
        for path in self.paths:
            remove_group(path)


class Peak:
    """The largest memory of a group while the block runs."""

    def __init__(self, group):
        self.group, self.bytes, self.stopped = group, 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stopped:
            self.bytes = max(self.bytes, self.group.memory())
            time.sleep(INTERVAL)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()
