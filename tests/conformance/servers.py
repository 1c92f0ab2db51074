"""A web server on loopback for ADD of URLs and of git repositories."""
import http.server
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

DATE = "2001-02-03T04:05:06+0000"  # of every commit, so that its digest is always the same


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        what = self.server.owner.find(self.path)
        body = what.get("body", b"")
        body = body.encode() if isinstance(body, str) else body
        self.send_response(what.get("status", 200))
        for name, value in what.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


class Server:
    def __init__(self):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.http.owner = self
        self.address = "127.0.0.1:%d" % self.http.server_port
        self.pages = {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="conformance-git-"))
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def offer(self, pages, commits):
        """Pages by path; commits, each {"files": {…}, "tag": …, "branch": …}, of one repository /repo.git."""
        self.pages = pages
        shutil.rmtree(self.folder / "repo.git", ignore_errors=True)
        if commits:
            self.make_repository(commits)

    def make_repository(self, commits):
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        who = {"NAME": "t", "EMAIL": "t@t", "DATE": DATE}
        env = {**os.environ, **{"GIT_%s_%s" % (role, key): value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()},
               "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        git = lambda *words: subprocess.run(["git", *words], cwd=work, env=env, check=True, capture_output=True)  # noqa: E731
        git("init", "-q", "-b", "main")
        for commit in commits:
            git("checkout", "-q", "-B", commit.get("branch", "main"))
            for name, text in commit["files"].items():
                path = work / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                path.chmod(0o755 if name.endswith(".sh") else 0o644)
            git("add", "-A")
            git("commit", "-q", "-m", "commit")
            if "tag" in commit:
                git("tag", "-a", commit["tag"], "-m", "tag")
        git("checkout", "-q", "main")
        git("clone", "-q", "--bare", ".", str(self.folder / "repo.git"))
        subprocess.run(["git", "update-server-info"], cwd=self.folder / "repo.git", check=True, env=env)

    def find(self, path):
        if path.startswith("/repo.git/"):
            file = self.folder / path.partition("?")[0].lstrip("/")
            return {"body": file.read_bytes()} if file.is_file() else {"status": 404}
        return self.pages.get(path, {"status": 404})

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)
