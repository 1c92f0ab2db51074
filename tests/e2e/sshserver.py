"""An OpenSSH server on the control plane's address, and OpenSSH's client programs as files for a stage."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import harness
from gitserver import ADDRESS, NETNS


class SshServer:
    """with SshServer() as server: whoever has server.key may run one command, which prints `reached`."""

    def __init__(self):
        missing = [p for p in ("sshd", "ssh", "ssh-add", "ssh-keygen")
                   if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin")]
        if missing or not os.path.exists(NETNS):
            raise harness.Skip(f"needs {', '.join(missing) or 'the local cluster'} on this machine")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="stagewright-ssh-"))
        self.port = 5800 + os.getpid() % 90

    def __enter__(self):
        for name in ("host", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.dir / name)], check=True)
        self.key = (self.dir / "key").read_text()
        allowed = self.dir / "allowed"
        allowed.write_text('command="echo reached",restrict ' + (self.dir / "key.pub").read_text())
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        options = [f"-oPort={self.port}", f"-oListenAddress={ADDRESS}", f"-oHostKey={self.dir}/host", "-oUsePAM=no",
                   f"-oAuthorizedKeysFile={allowed}", "-oStrictModes=no", "-oPidFile=none", "-oPasswordAuthentication=no"]
        self.process = subprocess.Popen(["nsenter", f"--net={NETNS}", "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *options],
                                        stdout=subprocess.DEVNULL, stderr=open(self.dir / "log", "wb"))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir)


def client_files():
    """path -> bytes of ssh, ssh-add and the libraries that they need."""
    files = {}
    for program in ("/usr/bin/ssh", "/usr/bin/ssh-add"):
        files["root" + program] = pathlib.Path(program).read_bytes()
        for line in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.splitlines():
            library = next((word for word in line.split() if word.startswith("/")), None)
            if library and "libc.so" not in library and "ld-linux" not in library:
                files["root/usr/lib/x86_64-linux-gnu/" + os.path.basename(library)] = pathlib.Path(library).read_bytes()
    return files
