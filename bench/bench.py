"""The rows of bench/run.sh: measurements and the table."""
import contextlib
import hashlib
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import builders
import meter
import tree
from rows import REGISTRY, ROWS, fill_many, make_rng

ENV = os.environ
RUNS = int(ENV["RUNS"])


# --- the registry and what is in it before ---

def load_blob(registry, path):
    with tree.get(registry, path) as answer:
        return answer.read()


def load_bases(registry, names):
    """Manifest, config and layers of the bases, from a registry outside of our network namespace."""
    bases = {}
    for name in names:
        manifest = tree.manifest_of(registry, name)
        bases[name] = (manifest, [load_blob(registry, "%s/blobs/%s" % (name, d["digest"]))
                                  for d in [manifest["config"]] + manifest["layers"]])
    return bases


def send(method, path, data=None, media="application/octet-stream"):
    url = path if path.startswith("http") else "http://%s/v2/%s" % (REGISTRY, path)
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": media})
    return urllib.request.urlopen(request, timeout=60)


def push_base(name, manifest, blobs):
    for blob in blobs:
        with send("POST", name + "/blobs/uploads/", b"") as answer:
            place = answer.headers["Location"]
        send("PUT", place + ("&" if "?" in place else "?") + "digest=sha256:" + hashlib.sha256(blob).hexdigest(), blob).close()
    send("PUT", name + "/manifests/latest", json.dumps(manifest).encode(), manifest["mediaType"]).close()


def start_registry(work, stack):
    config = work / "registry.yml"
    config.write_text("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n  filesystem: {rootdirectory: %s}\n"
                      "http: {addr: '%s', secret: bench}\n" % (work / "registry", REGISTRY))
    process = subprocess.Popen([ENV["REGISTRY_BINARY"], "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    for _ in range(200):
        try:
            send("GET", "").close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("bench: the registry does not answer")


def make_many(work):
    """The base of W6, made by ourselves."""
    context = work / "many"
    fill_many(context, make_rng())
    subprocess.run([ENV["STAGEWRIGHT"], "build", "--local", "-q", "--cache-dir", str(work / "many-cache"), "-t",
                    "%s/bench-many" % REGISTRY, "--push", str(context)], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(work / "many-cache")
    shutil.rmtree(context)


# --- measurements ---

def run_build(builder, command):
    process = builder.group.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.communicate()[1]
    if process.returncode != 0:
        raise SystemExit("bench: %s failed: %s" % (builder.name, error.decode(errors="replace")[-3000:]))


def measure(builder, commands, side_by_side):
    """One or several builds as one measurement."""
    cpu, sent = builder.group.cpu_seconds(), meter.loopback_bytes()
    with meter.Peak(builder.group) as peak:
        begin = time.monotonic()
        if side_by_side == 1:
            for command in commands:
                run_build(builder, command)
        else:
            lanes = [threading.Thread(target=lambda lane=lane: [run_build(builder, c) for c in commands[lane::side_by_side]])
                     for lane in range(side_by_side)]
            for lane in lanes:
                lane.start()
            for lane in lanes:
                lane.join()
        wall = time.monotonic() - begin
    return {"wall": wall, "cpu": builder.group.cpu_seconds() - cpu, "memory": peak.bytes / 1e6,
            "pushed": (meter.loopback_bytes() - sent) / 1e6}


def measure_variant(row, variant, context, all_builders):
    """Medians by builder, and whether all trees are the same."""
    stem = "bench/%s-%s" % (row.lower(), hashlib.sha256(variant.name.encode()).hexdigest()[:6])
    last = {}

    def commands(builder, number):
        for build in range(variant.builds):
            name = "%s-%s-%d-%d" % (stem, builder.name, number, build) if variant.anew else "%s-%s" % (stem, builder.name)
            last[builder.name] = name
            yield builder.command(context, name, variant.anew, variant.compression)

    runs = {builder.name: [] for builder in all_builders}
    for builder in all_builders:  # base images come, caches fill
        run_build(builder, next(commands(builder, 0)))
    for number in range(1, RUNS + 1):
        if variant.change:
            variant.change(context, number)
        for builder in (b for b in all_builders if number <= b.runs):
            runs[builder.name].append(measure(builder, list(commands(builder, number)), 2 if variant.builds > 1 else 1))
        if number == 1:  # the round that all take part in
            digests = {builder.name: tree.digest_of(REGISTRY, last[builder.name])[0] for builder in all_builders}
    medians = {name: {key: statistics.median(run[key] for run in results) for key in results[0]} for name, results in runs.items()}
    with open(ENV["RESULTS"], "a") as out:
        out.write(json.dumps({"row": row, "variant": variant.name, "runs": runs, "trees": digests, "load": os.getloadavg()}) + "\n")
    return medians, {name for name, digest in digests.items() if digest != digests["buildkit"]}


# --- the table ---

def cell(result, builds):
    wall = "%.0f/min" % (builds * 60 / result["wall"]) if builds > 1 else "%.3f s" % result["wall"]
    return "%s (%.2f, %.0f, %.1f)" % (wall, result["cpu"], result["memory"], result["pushed"])


def line(row, variant, medians, different, names):
    ratio = medians["stagewright"]["wall"] / medians["buildkit"]["wall"]
    aim = "%.2f" % variant.aim if variant.aim else "–"
    same = "yes" if not different else "not " + ", ".join(sorted(different))
    return "| %s %s | %.2f | %s | %s | %s |" % (row, variant.name, ratio, aim,
                                               " | ".join(cell(medians[name], variant.builds) for name in names), same)


def header(names):
    return "| row | of BuildKit's wall | aim | %s | same tree |\n|%s" % (" | ".join(names), "---|" * (len(names) + 4))


def machine():
    model = next((text.split(":")[1].strip() for text in open("/proc/cpuinfo") if text.startswith("model name")), "?")
    return "%s, %d processors (%s), Linux %s, load %.1f %.1f %.1f" % (
        time.strftime("%Y-%m-%d %H:%M"), os.cpu_count(), model, platform.release(), *os.getloadavg())


def measure_rows(rows, work, stack):
    all_builders = builders.start_available(work, stack)
    names = [builder.name for builder in all_builders]
    print(machine() + "; median of %d; " % RUNS
          + ", ".join(builder.version() + " (%d runs)" % builder.runs * (builder.runs != RUNS) for builder in all_builders)
          + "".join("; without " + name for name in builders.left_out()))
    print("Each: wall (CPU seconds of its control group, peak MB of anonymous memory, MB over the loopback)\n")
    print(header(names), flush=True)
    for row in rows:
        context = work / row
        context.mkdir()
        (context / "Dockerfile").write_text(ROWS[row].fill(context, make_rng()))
        for variant in ROWS[row].variants:
            print(line(row, variant, *measure_variant(row, variant, context, all_builders), names), flush=True)
        shutil.rmtree(context)
    print("\nload at the end: %.1f %.1f %.1f" % os.getloadavg())


def main():
    rows = sys.argv[1:] or list(ROWS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))  # so that everything is taken down
    bases = load_bases(ENV["REGISTRY"], ["busybox", "golang"] if "W1" in rows else ["busybox"])
    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=ENV.get("BENCH_DIR")))
    meter.enter_network_namespace()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        start_registry(work, stack)
        for name, (manifest, blobs) in bases.items():
            push_base(name, manifest, blobs)
        if "W6" in rows:
            make_many(work)
        measure_rows(rows, work, stack)


if __name__ == "__main__":
    main()
