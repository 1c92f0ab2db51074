"""An OCI archive as plain values: what section "how a result is judged" of the design compares."""
import gzip
import hashlib
import io
import json
import re
import tarfile

CONFIG_KEYS = ("Env", "Cmd", "Entrypoint", "User", "WorkingDir", "ExposedPorts", "Volumes", "Labels", "StopSignal",
               "Healthcheck", "Shell", "OnBuild")
# Times of what a build makes differ from run to run; those that a case sets lie before this.
OLD = 1_400_000_000


class Archive:
    def __init__(self, path):
        self.tar = tarfile.open(path)
        index = json.loads(self.read("index.json"))
        manifest = json.loads(self.blob(index["manifests"][0]["digest"]))
        while "layers" not in manifest:
            manifest = json.loads(self.blob(manifest["manifests"][0]["digest"]))
        self.config = json.loads(self.blob(manifest["config"]["digest"]))
        self.layers = [layer["digest"] for layer in manifest["layers"] or []]

    def read(self, name):
        return self.tar.extractfile(name).read()

    def blob(self, digest):
        return self.read("blobs/sha256/" + digest.split(":")[1])

    def layer(self, digest):
        raw = self.blob(digest)
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def clean(name):
    return name.strip("/").removeprefix("./").strip("/")


def kind(member):
    return ("file" if member.isfile() else "dir" if member.isdir() else "link" if member.issym() else
            "char" if member.ischr() else "block" if member.isblk() else "fifo" if member.isfifo() else "?")


def entry(tar, member):
    out = {"type": kind(member), "mode": "%04o" % (member.mode & 0o7777), "owner": "%d:%d" % (member.uid, member.gid)}
    if member.issym():
        out["target"] = member.linkname
        del out["mode"]
    if member.isfile():
        out["size"] = member.size
        out["sha256"] = hashlib.sha256(tar.extractfile(member).read()).hexdigest()
    if member.ischr() or member.isblk():
        out["device"] = "%d:%d" % (member.devmajor, member.devminor)
    if member.mtime < OLD and not member.isdir():
        out["mtime"] = int(member.mtime)
    attributes = {key[13:]: value.encode("utf-8", "surrogateescape").hex() for key, value in member.pax_headers.items()
                  if key.startswith("SCHILY.xattr.")}
    if attributes:
        out["xattrs"] = attributes
    return out


def remove(tree, name):
    old = tree.pop(name, None)
    if old and old["type"] == "dir":
        for path in [p for p in tree if p.startswith(name + "/")]:
            del tree[path]


def apply_layer(tree, links, raw):
    """Returns the layer's whiteouts."""
    gone = []
    with tarfile.open(fileobj=io.BytesIO(raw), errorlevel=0, encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            name = clean(member.name)
            directory, _, base = name.rpartition("/")
            if base == ".wh..wh..opq":
                gone.append(name)
                for path in [p for p in tree if p.startswith(directory + "/")]:
                    del tree[path]
                continue
            if base.startswith(".wh."):
                target = clean(directory + "/" + base[4:])
                gone.append(target)
                remove(tree, target)
                continue
            if not name or name == ".":
                continue
            if member.islnk():
                target = clean(member.linkname)
                if target in tree:
                    tree[name] = dict(tree[target])
                    links[name] = target
                continue
            new = entry(tar, member)
            if not (member.isdir() and tree.get(name, {}).get("type") == "dir"):
                remove(tree, name)
            tree[name] = new
    return sorted(gone)


def untimed_digest(raw):
    """SHA-256 over a layer's entries without their times."""
    out = hashlib.sha256()
    with tarfile.open(fileobj=io.BytesIO(raw), encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            value = {**entry(tar, member), "mtime": 0, "hard": member.linkname if member.islnk() else ""}
            out.update(json.dumps([member.name, value], sort_keys=True).encode())
    return out.hexdigest()


def describe(path, base_layers, ignore=()):
    """Everything that is compared. `base_layers` is the number of layers that came with the base image; `ignore` are
    regular expressions of paths whose content no two builds share."""
    return describe_image(Archive(path), base_layers, ignore)


def describe_image(archive, base_layers, ignore=()):
    tree, links, whiteouts = {}, {}, []
    before = {}
    for number, digest in enumerate(archive.layers):
        gone = apply_layer(tree, links, archive.layer(digest))
        if number + 1 == base_layers:
            before = {name: dict(value) for name, value in tree.items()}
        if number >= base_layers:
            whiteouts.append(gone)
    changed = {name: value for name, value in sorted(tree.items()) if before.get(name) != value}
    changed.update({name: None for name in sorted(before) if name not in tree})
    for name, value in changed.items():
        if value and any(re.fullmatch(pattern, name) for pattern in ignore):
            value.update({key: "any" for key in ("size", "sha256") if key in value})
    groups = {name: target for name, target in sorted(links.items()) if name in changed}
    config = archive.config
    inner = {key: config["config"][key] for key in CONFIG_KEYS if config.get("config", {}).get(key)}
    history = config.get("history", [])
    own, seen = [], 0
    for item in history:
        is_layer = not item.get("empty_layer")
        if seen >= base_layers and (is_layer or item.get("comment") == "buildkit.dockerfile.v0"):
            own.append([item.get("created_by", ""), bool(item.get("empty_layer"))])
        seen += is_layer
    return {"config": inner, "author": config.get("author", ""),
            "platform": "/".join(filter(None, (config["os"], config["architecture"], config.get("variant")))),
            "history": own, "layers": len(archive.layers) - base_layers, "whiteouts": whiteouts,
            "tree": changed, "hardlinks": groups}
