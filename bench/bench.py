"""The rows of bench/run.sh: inputs, builders, measurements, the table."""
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "conformance"))

ENV = os.environ
RUNS = int(ENV["RUNS"])
REGISTRY = ENV["REGISTRY"]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def small_files(directory, count, rng):
    for number in range(count):
        write(directory / ("d%03d" % (number // 100)) / ("f%05d" % number), rng.randbytes(rng.randint(200, 1800)).hex())


# --- inputs: each returns the Dockerfile and how often it is built, and fills the context ---

def w0(context, rng):
    write(context / "byte", b"x")
    return "FROM scratch\nCOPY byte /byte\n"


def w1(context, rng):
    write(context / "main.go", 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n')
    write(context / "go.mod", "module hello\n\ngo 1.19\n")
    return ("FROM %s/golang AS build\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /hello .\n"
            "FROM scratch\nCOPY --from=build /hello /hello\nENTRYPOINT [\"/hello\"]\n" % REGISTRY)


def w2(context, rng):
    small_files(context / "tree", int(ENV["FILES"]), rng)
    write(context / "last", "last")
    return ("FROM %s/busybox\nCOPY tree /tree\nRUN find /tree -name '*77' | head -100 | xargs touch\nCOPY last /last\n" % REGISTRY)


def w3(context, rng):
    size = int(ENV["BYTES"]) // 2
    with open(context / "big", "wb") as out:
        for _ in range(size // 1048576):
            out.write(rng.randbytes(1048576))
        line = b"".join(b"%08d the quick brown fox jumps over the lazy dog\n" % n for n in range(20000))
        for _ in range(size // len(line)):
            out.write(line)
    return "FROM scratch\nCOPY big /big\n"


def w4(context, rng):
    stages = int(ENV["STAGES"])
    text = ""
    for number in range(stages):
        text += ("FROM %s/busybox AS s%d\nRUN sleep 2; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo %d > /out%d\n"
                 % (REGISTRY, number, number, number))
    text += "FROM scratch\n" + "".join("COPY --from=s%d /out%d /\n" % (n, n) for n in range(stages))
    return text


def w6(context, rng):
    return ("FROM %s/bench-many:latest\nRUN cd /many && ls | head -12 | xargs rm -r && for d in $(ls | head -12); do "
            "for f in $d/*; do mv $f $f.moved; done; done\n" % REGISTRY)


def w7(context, rng):
    for number in range(300):
        package = context / "packages" / ("p%03d" % number)
        for file in range(20):
            write(package / "usr/lib" / ("p%03d" % number) / ("f%02d" % file), rng.randbytes(rng.randint(500, 8000)))
        write(package / "usr/share/doc" / ("p%03d" % number) / "README", b"doc\n" * 200)
    return ("FROM %s/busybox\nRUN --mount=target=/src cp -a /src/packages/. /tmp/p && for p in /tmp/p/*; do cp -a $p/. /; "
            "mkdir -p /var/lib/dpkg/info; echo $p >> /var/lib/dpkg/status; touch /var/lib/dpkg/info/$(basename $p).list; done; "
            "rm -rf /tmp/p /usr/share/doc\n" % REGISTRY)


class Meter:
    """CPU of children and the largest memory of a process tree, by sampling /proc."""

    def __init__(self, roots):
        self.roots, self.peak, self.stopped = roots, 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def tree(self):
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open("/proc/%s/stat" % entry) as stat:
                        fields = stat.read().rsplit(")", 1)[1].split()
                    parents[int(entry)] = int(fields[1])
                except OSError:
                    pass
        found = set(self.roots)
        grown = True
        while grown:
            more = {p for p, parent in parents.items() if parent in found and p not in found}
            found |= more
            grown = bool(more)
        return found

    def run(self):
        while not self.stopped:
            total = 0
            for pid in self.tree():
                try:
                    with open("/proc/%d/smaps_rollup" % pid) as rollup:
                        total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss_Anon:"))
                except (OSError, ValueError):
                    pass
            self.peak = max(self.peak, total)
            time.sleep(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()


class Stagewright:
    name = "stagewright"

    def __init__(self, work):
        self.cache = work / "stagewright"

    def command(self, context, dockerfile, tag, metadata, anew):
        return [ENV["STAGEWRIGHT"], "build", "--local", "-q", "--cache-dir", str(self.cache), "-f", str(dockerfile), "-t",
                "%s/bench/%s" % (REGISTRY, tag), "--push", "--metadata-file", str(metadata), str(context)] + ["--no-cache"] * anew

    def roots(self):
        return []

    def cpu(self):
        return 0.0

    def close(self):
        shutil.rmtree(self.cache, ignore_errors=True)


class BuildKit:
    name = "buildkit"

    def __init__(self, work):
        self.state = work / "buildkit"
        self.state.mkdir()
        config = self.state / "buildkitd.toml"
        config.write_text('[worker.oci]\n  snapshotter = "overlayfs"\n  gc = false\n[worker.containerd]\n  enabled = false\n'
                          '[registry."%s"]\n  http = true\n' % REGISTRY)
        folder = pathlib.Path(ENV["BUILDKIT"])
        self.control = [str(folder / "buildctl"), "--addr", "unix://%s" % (self.state / "sock")]
        self.log = open(self.state / "log", "wb")
        self.daemon = subprocess.Popen(
            [str(folder / "buildkitd"), "--config", str(config), "--root", str(self.state / "root"), "--addr",
             "unix://%s" % (self.state / "sock"), "--oci-worker-net", "host", "--oci-worker-binary", ENV["RUNC"]],
            stdout=self.log, stderr=self.log)
        while not (self.state / "sock").exists():
            time.sleep(0.05)

    def command(self, context, dockerfile, tag, metadata, anew):
        return self.control + ["build", "--frontend", "dockerfile.v0", "--local", "context=%s" % context, "--local",
                               "dockerfile=%s" % dockerfile.parent, "--opt", "attest:provenance=disabled=true", "--output",
                               "type=image,name=%s/bench/%s,push=true" % (REGISTRY, tag), "--metadata-file", str(metadata)] + ["--no-cache"] * anew

    def roots(self):
        return [self.daemon.pid]

    def cpu(self):
        with open("/proc/%d/stat" % self.daemon.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return sum(int(fields[i]) for i in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(30)
        subprocess.run(["umount", "-R", str(self.state / "root")], stderr=subprocess.DEVNULL)


def tree_digest(tag):
    """Of the image's whole tree, contents included, so that equal trees show as equal."""
    import image
    accept = ",".join(("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
                       "application/vnd.docker.distribution.manifest.v2+json"))

    def get(path):
        request = urllib.request.Request("http://%s/v2/bench/%s" % (REGISTRY, path), headers={"Accept": accept})
        return urllib.request.urlopen(request, timeout=60).read()

    manifest = json.loads(get(tag + "/manifests/latest"))
    while "layers" not in manifest:
        manifest = json.loads(get("%s/manifests/%s" % (tag, manifest["manifests"][0]["digest"])))
    tree, links = {}, {}
    for layer in manifest["layers"]:
        raw = get("%s/blobs/%s" % (tag, layer["digest"]))
        if raw[:2] == b"\x1f\x8b":
            raw = image.gzip.decompress(raw)
        image.apply_layer(tree, links, raw)
    for value in tree.values():
        value.pop("mtime", None)
    return hashlib.sha256(json.dumps([tree, links], sort_keys=True).encode()).hexdigest()


def run_once(builder, context, dockerfile, tag, work, anew):
    metadata = work / "metadata.json"
    before, daemon = resource.getrusage(resource.RUSAGE_CHILDREN), builder.cpu()
    begin = time.monotonic()
    process = subprocess.Popen(builder.command(context, dockerfile, tag, metadata, anew), stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    with Meter(builder.roots() + [process.pid]) as meter:
        _, error = process.communicate()
    wall = time.monotonic() - begin
    if process.returncode != 0:
        raise SystemExit("%s failed: %s" % (builder.name, error.decode(errors="replace")[-2000:]))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + builder.cpu() - daemon
    return {"wall": wall, "cpu": cpu, "memory": meter.peak / 1024}


def prepare_many(work):
    """The base of W6: one layer of many small files."""
    context = work / "many"
    small = random.Random(int(ENV["SEED"]))
    for number in range(int(ENV["BASE_FILES"])):
        write(context / "many" / ("d%03d" % (number // 500)) / ("f%05d" % number), small.randbytes(64).hex())
    (context / "Dockerfile").write_text("FROM %s/busybox\nCOPY many /many\n" % REGISTRY)
    subprocess.run([ENV["STAGEWRIGHT"], "build", "--local", "-q", "--cache-dir", str(work / "many-cache"), "-t",
                    "%s/bench-many" % REGISTRY, "--push", str(context)], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(work / "many-cache", ignore_errors=True)
    shutil.rmtree(context)


ROWS = {"W0": w0, "W1": w1, "W2": w2, "W3": w3, "W4": w4, "W5": w2, "W6": w6, "W7": w7}
# What happens between two runs: every step anew on warm bases, nothing, or the source of the last COPY changes.
VARIANTS = {"W1": ("warm", "hot"), "W5": ("nothing changed", "last COPY changed")}


def measure(row, builders, work):
    context = work / row
    context.mkdir()
    dockerfile = context / "Dockerfile"
    dockerfile.write_text(ROWS[row](context, random.Random(int(ENV["SEED"]))))
    lines = []
    for variant in VARIANTS.get(row, ("warm",)):
        results = {}
        for builder in builders:
            tag = "%s-%s" % (row.lower(), builder.name)
            run_once(builder, context, dockerfile, tag, work, False)
            runs = []
            for number in range(RUNS):
                if variant == "last COPY changed":  # the same for every builder, so that the trees can be compared
                    write(context / "last", "run %d" % number)
                runs.append(run_once(builder, context, dockerfile, tag, work, variant == "warm"))
            results[builder.name] = {key: statistics.median(r[key] for r in runs) for key in runs[0]}
        digests = {builder.name: tree_digest("%s-%s" % (row.lower(), builder.name)) for builder in builders}
        same = len(set(digests.values())) == 1
        lines.append((row + " " + variant, results, same))
    shutil.rmtree(context)
    return lines


def main():
    rows = sys.argv[1:] or list(ROWS)
    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=ENV.get("BENCH_DIR")))
    builders = [Stagewright(work), BuildKit(work)]
    print("| row | BuildKit wall s (cpu s, MB) | stagewright wall s (cpu s, MB) | ratio | same tree |")
    print("|---|---|---|---|---|", flush=True)
    try:
        if "W6" in rows:
            prepare_many(work)
        for row in rows:
            for name, results, same in measure(row, builders, work):
                ours, theirs = results["stagewright"], results["buildkit"]
                cell = "%.3f (%.2f, %.0f)"
                print("| %s | %s | %s | %.2f | %s |" % (
                    name, cell % (theirs["wall"], theirs["cpu"], theirs["memory"]),
                    cell % (ours["wall"], ours["cpu"], ours["memory"]), ours["wall"] / theirs["wall"],
                    "yes" if same else "NO"), flush=True)
    finally:
        for builder in builders:
            builder.close()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
