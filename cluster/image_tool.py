#!/usr/bin/env python3
"""Makes one-layer OCI images out of a directory or a tar stream and pushes them over plain HTTP.

  image_tool.py layer PREFIX --dir DIR        -> PREFIX.tar.gz, PREFIX.json
  image_tool.py layer PREFIX <rootfs.tar      -> the same from a tar stream; --mkdir NAME: a directory before it
  image_tool.py push URL --layer PREFIX --config JSON NAME:TAG...

For the base images of the local cluster only, before the project's own image writer is built. Needs
nothing but python3; streams, so an image of 700 MB takes a few MB of memory; the same input gives
the same digest. The first NAME:TAG gets the blobs, the others mount them from it.
"""
import argparse
import gzip
import hashlib
import http.client
import io
import json
import os
import platform
import sys
import tarfile
import urllib.parse

CHUNK = 1 << 20
MEDIA = "application/vnd.oci.image."
CREATED = "2024-01-01T00:00:00Z"  # the time of a build is no property of its content
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


class HashingWriter:
    """Passes writes on and keeps digest and size of what went through."""

    def __init__(self, out):
        self.out, self.sha, self.size = out, hashlib.sha256(), 0

    def write(self, data):
        self.sha.update(data)
        self.size += len(data)
        return self.out.write(data)

    def flush(self):
        self.out.flush()

    def digest(self):
        return "sha256:" + self.sha.hexdigest()


# --- layers ---------------------------------------------------------------------------------------


def tar_directory(root, out):
    """Sorted, owned by root, without times: only names, modes and contents count."""

    def clean(info):
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        return info

    with tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for directory, names, files in os.walk(root):
            names.sort()
            for name in sorted(names + files):
                path = os.path.join(directory, name)
                tar.add(path, os.path.relpath(path, root), recursive=False, filter=clean)


def directory_entry(name):
    """One header block: a tar stream may simply follow it."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info.tobuf(tarfile.GNU_FORMAT)


def make_layer(args):
    new = args.prefix + ".tar.gz.new"
    with open(new, "wb") as file:
        compressed = HashingWriter(file)
        # No file name and no time in the gzip header. Level 1: a local network is faster than level 6.
        with gzip.GzipFile("", "wb", 1, compressed, mtime=0) as zipped:
            raw = HashingWriter(zipped)
            for name in args.mkdir:
                raw.write(directory_entry(name))
            if args.dir:
                tar_directory(args.dir, raw)
            else:
                while data := sys.stdin.buffer.read(CHUNK):
                    raw.write(data)
    if raw.size == 0:
        sys.exit("error: the layer is empty")
    os.replace(new, args.prefix + ".tar.gz")
    record = {"digest": compressed.digest(), "size": compressed.size, "diffId": raw.digest(), "unpackedSize": raw.size}
    with open(args.prefix + ".json.new", "w", encoding="utf-8") as file:
        json.dump(record, file)
    os.replace(args.prefix + ".json.new", args.prefix + ".json")  # last: its presence says that both are whole


# --- pushing --------------------------------------------------------------------------------------


class Registry:
    def __init__(self, url):
        self.base = urllib.parse.urlsplit(url)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.base.netloc, timeout=120, blocksize=CHUNK)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            text = response.read()
            return response.status, response.headers, text
        finally:
            connection.close()

    def expect(self, status, method, path, body=None, headers=None):
        got, answer_headers, text = self.request(method, path, body, headers)
        if got != status:
            sys.exit(f"error: {method} {path}: {got} {text[:500].decode('utf-8', 'replace')}")
        return answer_headers

    def has_manifest(self, name, tag, digest):
        status, headers, _ = self.request("HEAD", f"/v2/{name}/manifests/{tag}", None, {"Accept": MEDIA + "manifest.v1+json"})
        return status == 200 and headers.get("Docker-Content-Digest") == digest

    def put_blob(self, name, digest, size, open_blob, mount_from):
        if self.request("HEAD", f"/v2/{name}/blobs/{digest}")[0] == 200:
            return
        query = f"?mount={digest}&from={mount_from}" if mount_from != name else ""
        status, headers, text = self.request("POST", f"/v2/{name}/blobs/uploads/{query}", b"")
        if status == 201:
            return
        if status != 202:
            sys.exit(f"error: start upload to {name}: {status} {text[:500].decode('utf-8', 'replace')}")
        place = urllib.parse.urlsplit(headers["Location"])  # absolute or not: the server is the one we talk to
        path = f"{place.path}?{place.query + '&' if place.query else ''}digest={digest}"
        with open_blob() as body:
            self.expect(201, "PUT", path, body, {"Content-Type": "application/octet-stream", "Content-Length": str(size)})


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_config(layer, config, name):
    return json.dumps({
        "created": CREATED, "architecture": ARCHITECTURE, "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer["diffId"]]},
        "history": [{"created": CREATED, "created_by": f"base image {name} of the local cluster"}],
    }, sort_keys=True).encode()


def make_manifest(layer, config):
    return json.dumps({
        "schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json",
        "config": {"mediaType": MEDIA + "config.v1+json", "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": MEDIA + "layer.v1.tar+gzip", "digest": layer["digest"], "size": layer["size"]}],
    }, sort_keys=True).encode()


def push(args):
    with open(args.layer + ".json", encoding="utf-8") as file:
        layer = json.load(file)
    config = make_config(layer, json.loads(args.config), args.reference[0])
    manifest = make_manifest(layer, config)
    registry, first = Registry(args.url), args.reference[0].rsplit(":", 1)[0]
    pushed = False
    for reference in args.reference:
        name, tag = reference.rsplit(":", 1)
        if registry.has_manifest(name, tag, digest_of(manifest)):
            continue
        registry.put_blob(name, layer["digest"], layer["size"], lambda: open(args.layer + ".tar.gz", "rb"), first)
        registry.put_blob(name, digest_of(config), len(config), lambda: io.BytesIO(config), first)
        registry.expect(201, "PUT", f"/v2/{name}/manifests/{tag}", manifest, {"Content-Type": MEDIA + "manifest.v1+json"})
        pushed = True
    print(f"{'pushed' if pushed else 'present'} {args.reference[0]} {layer['size'] / 1e6:.1f} MB"
          f" ({layer['unpackedSize'] / 1e6:.1f} MB unpacked) {digest_of(manifest)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("layer")
    command.add_argument("prefix")
    command.add_argument("--dir")
    command.add_argument("--mkdir", action="append", default=[])
    command.set_defaults(run=make_layer)
    command = commands.add_parser("push")
    command.add_argument("url")
    command.add_argument("--layer", required=True)
    command.add_argument("--config", default="{}")
    command.add_argument("reference", nargs="+")
    command.set_defaults(run=push)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
