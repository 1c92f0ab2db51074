#!/usr/bin/env python3
"""git http-backend behind a small HTTP server on loopback, for the tests of git_source.

git_http_server.py ROOT [USER:PASSWORD]: prints its port, then serves the bare repositories below ROOT until its standard
input ends. Below /dumb/ repositories are served as plain files; /moved/X redirects to /X; /broken/ answers 503. It takes
requests for other hosts as well, as if it were their proxy."""
import base64
import http.server
import os
import subprocess
import sys
import threading

ROOT = sys.argv[1]
AUTH = sys.argv[2] if len(sys.argv) > 2 else ""


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args):
        super().__init__(*args, directory=ROOT)

    def log_message(self, *_):
        pass

    def parse_request(self):
        parsed = super().parse_request()
        if parsed and self.path.startswith("http://"):  # as a proxy is asked
            self.path = "/" + self.path.split("/", 3)[3]
        return parsed

    def do_GET(self):
        if self.refused():
            return
        if self.path.startswith("/dumb/"):
            self.path = self.path[len("/dumb"):].partition("?")[0]
            super().do_GET()
        else:
            self.backend(b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
        if not self.refused():
            self.backend(body)

    def refused(self):
        if self.path.startswith("/broken/"):
            self.answer(503)
        elif self.path.startswith("/moved/"):
            self.answer(301, ("Location", self.path[len("/moved"):]))
        elif AUTH and self.headers.get("Authorization") != "Basic " + base64.b64encode(AUTH.encode()).decode():
            self.answer(401, ("WWW-Authenticate", 'Basic realm="git"'))
        else:
            return False
        return True

    def answer(self, status, *headers):
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def backend(self, body):
        path, _, query = self.path.partition("?")
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": ROOT, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "GIT_CONFIG_GLOBAL": "/dev/null",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1",
               "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        done = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for header in headers.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(content)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
