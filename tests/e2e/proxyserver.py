"""An HTTP proxy on the control plane's address inside the cluster's network, started by a case and stopped by it.

It takes requests for http:// URLs and CONNECT, and remembers what it was asked."""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

import harness
from gitserver import ADDRESS, NETNS

MAX_HEAD = 64 * 1024


class ProxyServer:
    """with ProxyServer() as proxy: pods reach it at proxy.url; proxy.asked() gives lines such as `GET http://host/path`."""

    def __init__(self):
        if not os.path.exists(NETNS):
            raise harness.Skip(f"needs the local cluster's network namespace {NETNS}")

    def __enter__(self):
        handle, name = tempfile.mkstemp(prefix="stagewright-proxy-")
        os.close(handle)
        self.log = pathlib.Path(name)
        self.process = subprocess.Popen(["nsenter", f"--net={NETNS}", sys.executable, __file__, ADDRESS, name],
                                        stdout=subprocess.PIPE, text=True)
        self.url = f"http://{ADDRESS}:{int(self.process.stdout.readline())}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.unlink()

    def asked(self):
        return self.log.read_text().splitlines()


def read_head(client):
    head = b""
    while b"\r\n\r\n" not in head:
        more = client.recv(4096)
        if not more or len(head) > MAX_HEAD:
            return b"", b""
        head += more
    head, _, rest = head.partition(b"\r\n\r\n")
    return head, rest


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve_one(client, log):
    """One exchange per connection: the origin is told to close, so the client comes again for the next."""
    with client:
        head, rest = read_head(client)
        lines = head.split(b"\r\n")
        method, _, target = lines[0].partition(b" ")
        target = target.split(b" ")[0]
        log(f"{method.decode()} {target.decode()}")
        connect = method == b"CONNECT"
        authority, _, path = target.removeprefix(b"http://").partition(b"/")
        host, _, port = authority.decode().rpartition(":")
        with socket.create_connection((host, int(port))) as origin:
            if connect:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                fields = [line for line in lines[1:] if not line.lower().startswith((b"proxy-", b"connection:"))]
                origin.sendall(b"\r\n".join([method + b" /" + path + b" HTTP/1.1", *fields, b"Connection: close", b"", b""]))
            origin.sendall(rest)
            upward = threading.Thread(target=pump, args=(client, origin), daemon=True)
            upward.start()
            pump(origin, client)


def serve(address, log_name):
    lock = threading.Lock()

    def log(line):
        with lock, open(log_name, "a") as out:
            out.write(line + "\n")

    listener = socket.create_server((address, 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve_one, args=(client, log), daemon=True).start()


if __name__ == "__main__":
    serve(*sys.argv[1:3])
