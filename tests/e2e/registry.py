"""A registry client of the tests' own, so that what we pushed is read by code that is not ours."""
import base64
import gzip
import io
import json
import tarfile
import urllib.request

import harness

ACCEPT = ", ".join(["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"])


def from_here(registry):
    """The local cluster's registries listen on the same ports of this machine's loopback interface."""
    return registry.replace("10.89.0.1", "127.0.0.1")


def _open(registry, path, headers=None, method="GET"):
    host = from_here(registry)
    request = urllib.request.Request(f"http://{host}/v2/{path}", headers=headers or {}, method=method)
    auth = base64.b64encode(f"{harness.PUSH_USER}:{harness.PUSH_PASSWORD}".encode()).decode()
    request.add_header("Authorization", f"Basic {auth}")
    return urllib.request.urlopen(request, timeout=60)


class Image:
    """The image behind a reference `registry/repo:tag` or `registry/repo@digest`."""

    def __init__(self, reference):
        self.registry, rest = reference.split("/", 1)
        if "@" in rest:
            self.repository, self.version = rest.split("@")
        else:
            self.repository, self.version = rest.rsplit(":", 1)
        with _open(self.registry, f"{self.repository}/manifests/{self.version}", {"Accept": ACCEPT}) as answer:
            self.digest = answer.headers["Docker-Content-Digest"]
            self.manifest = json.loads(answer.read())
        self.config = json.loads(self.blob(self.manifest["config"]["digest"]))

    def blob(self, digest):
        with _open(self.registry, f"{self.repository}/blobs/{digest}") as answer:
            return answer.read()

    @property
    def size(self):
        return self.manifest["config"]["size"] + sum(l["size"] for l in self.manifest["layers"])

    def layer(self, index):
        """The members of one layer: list of (TarInfo, bytes or None)."""
        raw = gzip.decompress(self.blob(self.manifest["layers"][index]["digest"]))
        out = []
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            for member in tar:
                out.append((member, tar.extractfile(member).read() if member.isreg() else None))
        return out

    def tree(self, first_layer=0):
        """The file tree: path -> (TarInfo, bytes or None), whiteouts applied."""
        tree = {}
        for index in range(first_layer, len(self.manifest["layers"])):
            members = self.layer(index)
            for info, _ in members:  # whiteouts act on lower layers only
                path = info.name.strip("/").removeprefix("./")
                parent, _, base = path.rpartition("/")
                if base == ".wh..wh..opq":
                    gone = parent + "/" if parent else ""
                    tree = {p: v for p, v in tree.items() if not p.startswith(gone)}
                elif base.startswith(".wh."):
                    gone = (parent + "/" if parent else "") + base[4:]
                    tree = {p: v for p, v in tree.items() if p != gone and not p.startswith(gone + "/")}
            for info, data in members:
                path = info.name.strip("/").removeprefix("./")
                if path.rpartition("/")[2].startswith(".wh."):
                    continue
                if info.islnk():
                    data = tree[info.linkname.strip("/").removeprefix("./")][1]
                elif not info.isdir():
                    tree = {p: v for p, v in tree.items() if not p.startswith(path + "/")} if path in tree else tree
                tree[path] = (info, data)
        return tree

    def read(self, path):
        return self.tree()[path.strip("/")][1]
