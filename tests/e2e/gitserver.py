"""A git server over HTTP with real `git http-backend`, on the control plane's address inside the cluster's network.

Started by a case, stopped by it; serves the bare repositories in one directory; with a password it asks for one, with
tls=True it has a certificate that signed itself."""
import base64
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import harness

NETNS = os.environ.get("STAGEWRIGHT_CLUSTER_NETNS", "/run/netns/sw-cp")
ADDRESS = os.environ.get("STAGEWRIGHT_CLUSTER_ADDRESS", "10.89.0.1")


def git(*args, cwd=None):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.test", "GIT_COMMITTER_NAME": "t",
           "GIT_COMMITTER_EMAIL": "t@example.test"}
    done = subprocess.run(["git", *args], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
    return done.stdout.strip()


class GitServer:
    """with GitServer(user=, password=) as server: server.repository("shop", {...}) gives the URL pods can clone."""

    def __init__(self, user=None, password=None, tls=False):
        if not os.path.exists(NETNS):
            raise harness.Skip(f"needs the local cluster's network namespace {NETNS}")
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="stagewright-git-"))
        self.auth = f"{user}:{password}" if user else ""
        self.tls = tls

    def __enter__(self):
        if self.tls:
            done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                                   "-subj", "/CN=test", "-addext", f"subjectAltName=IP:{ADDRESS}", "-keyout", str(self.root / ".key"),
                                   "-out", str(self.root / ".crt")], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            self.certificate = (self.root / ".crt").read_text()
        self.process = subprocess.Popen(
            ["nsenter", f"--net={NETNS}", sys.executable, __file__, ADDRESS, str(self.root), self.auth],
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.root)

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{ADDRESS}:{self.port}"

    def repository(self, name, files, links=None):
        """Makes a repository with one commit on branch main; gives (url, commit). Keys are paths; values text or bytes."""
        work = pathlib.Path(tempfile.mkdtemp(prefix="stagewright-work-"))
        git("init", "-q", "-b", "main", ".", cwd=work)
        for path, content in files.items():
            target = work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        for path, link in (links or {}).items():
            (work / path).symlink_to(link)
        git("add", "-A", cwd=work)
        git("commit", "-qm", "first", cwd=work)
        commit = git("rev-parse", "HEAD", cwd=work)
        git("clone", "-q", "--bare", str(work), str(self.root / f"{name}.git"))
        git("tag", "v1", commit, cwd=self.root / f"{name}.git")
        git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=self.root / f"{name}.git")
        shutil.rmtree(work)
        return f"{self.url}/{name}.git", commit


    def file(self, name, content):
        """A plain file; gives the URL pods can ADD. Its Last-Modified is 2020-01-02."""
        target = self.root / name
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(target, (1577923200, 1577923200))
        return f"{self.url}/{name}"


class OtherPort:
    """with OtherPort("10.89.0.1:5001") as name: the same server under `name`, another port of the same address."""

    def __init__(self, target):
        if not os.path.exists(NETNS):
            raise harness.Skip(f"needs the local cluster's network namespace {NETNS}")
        self.target = target

    def __enter__(self):
        port = 5900 + os.getpid() % 90
        self.process = subprocess.Popen(["nsenter", f"--net={NETNS}", "socat",
                                         f"TCP-LISTEN:{port},bind={ADDRESS},fork,reuseaddr", f"TCP:{self.target}"])
        return f"{ADDRESS}:{port}"

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def serve(address, root, auth):
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.backend()

        def do_POST(self):
            self.backend()

        def backend(self):
            expected = "Basic " + base64.b64encode(auth.encode()).decode()
            if auth and self.headers.get("Authorization") != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            if path.startswith("/to/"):  # a redirect: /to/<any URL>
                self.send_response(302)
                self.send_header("Location", path.removeprefix("/to/"))
                self.end_headers()
                return
            plain = pathlib.Path(root, path.lstrip("/"))
            if plain.is_file() and plain.parent == pathlib.Path(root):
                self.send_response(200)
                self.send_header("Last-Modified", self.date_time_string(plain.stat().st_mtime))
                self.send_header("Content-Length", str(plain.stat().st_size))
                self.end_headers()
                self.wfile.write(plain.read_bytes())
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
            env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                   "QUERY_STRING": query, "REQUEST_METHOD": self.command, "GIT_CONFIG_GLOBAL": "/dev/null",
                   "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                   "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                   "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1",
                   "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
            done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            headers["Content-Length"] = str(len(content))  # or a TLS client could not tell the end from a cut
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    if pathlib.Path(root, ".crt").exists():
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pathlib.Path(root, ".crt"), pathlib.Path(root, ".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(*sys.argv[1:4])
