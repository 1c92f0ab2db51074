"""The tree of an image in the registry as one digest, contents included, so that equal trees show as equal."""
import contextlib
import hashlib
import json
import subprocess
import tarfile
import urllib.request

ACCEPT = ",".join(("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
                   "application/vnd.docker.distribution.manifest.v2+json",
                   "application/vnd.docker.distribution.manifest.list.v2+json"))


def get(registry, path):
    request = urllib.request.Request("http://%s/v2/%s" % (registry, path), headers={"Accept": ACCEPT})
    return urllib.request.urlopen(request, timeout=60)


def manifest_of(registry, repository, reference="latest"):
    with get(registry, "%s/manifests/%s" % (repository, reference)) as answer:
        manifest = json.load(answer)
    if "layers" in manifest:
        return manifest
    images = [m for m in manifest["manifests"] if m.get("platform", {}).get("os") != "unknown"]
    return manifest_of(registry, repository, images[0]["digest"])


@contextlib.contextmanager
def plain(registry, repository, layer):
    """The layer's archive, decompressed by a program."""
    tool = "zstd" if layer["mediaType"].endswith("zstd") else "gzip"
    url = "http://%s/v2/%s/blobs/%s" % (registry, repository, layer["digest"])
    fetch = subprocess.Popen(["curl", "-sfL", url], stdout=subprocess.PIPE)
    unpack = subprocess.Popen([tool, "-dc"], stdin=fetch.stdout, stdout=subprocess.PIPE)
    fetch.stdout.close()
    yield unpack.stdout
    unpack.stdout.read()
    if unpack.wait() != 0 or fetch.wait() != 0:
        raise SystemExit("bench: cannot read layer " + layer["digest"])


def content_digest(file):
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def entry_of(tar, member, tree):
    kind = member.type if member.type != tarfile.AREGTYPE else tarfile.REGTYPE
    if member.islnk():
        return tree[member.linkname.strip("/").removeprefix("./")]
    entry = [kind.decode(), member.mode & 0o7777 if not member.issym() else 0, member.uid, member.gid]
    if member.isfile():
        entry += [member.size, content_digest(tar.extractfile(member))]
    elif member.issym():
        entry.append(member.linkname)
    elif member.ischr() or member.isblk():
        entry += [member.devmajor, member.devminor]
    return entry + sorted((k, v) for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr."))


def remove(tree, path):
    old = tree.pop(path, None)
    if old is None or old[0] == tarfile.DIRTYPE.decode():
        for p in [p for p in tree if p.startswith(path + "/")]:
            del tree[p]


def apply(tree, archive):
    with tarfile.open(fileobj=archive, mode="r|", errorlevel=0, encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            path = member.name.strip("/").removeprefix("./")
            directory, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                for p in [p for p in tree if p.startswith(directory + "/")]:
                    del tree[p]
            elif name.startswith(".wh."):
                remove(tree, (directory + "/" if directory else "") + name[4:])
            elif path and path != ".":
                if not member.isdir() and tree.get(path, [""])[0] == tarfile.DIRTYPE.decode():
                    remove(tree, path)
                tree[path] = entry_of(tar, member, tree)


def digest_of(registry, repository):
    tree = {}
    for layer in manifest_of(registry, repository)["layers"]:
        with plain(registry, repository, layer) as archive:
            apply(tree, archive)
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest(), len(tree)
