#!/usr/bin/env python3
"""Builds small Dockerfiles with the local engine and compares them with what BuildKit made of them.

    run.py                      compare (exit 1 on a difference, 77 where it cannot run)
    run.py --record             write expected/ anew from BuildKit: STAGEWRIGHT_ORACLE names a folder with buildkitd
                                and buildctl, STAGEWRIGHT_RUNC a runc for them
    run.py --list, run.py NAME…

Needs root, crun or runc, and a registry with `busybox` (STAGEWRIGHT_TEST_REGISTRY, default 127.0.0.1:5001).
Expectations are never written from our own results. README.md says what a case may hold.
"""
import argparse
import concurrent.futures
import importlib
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import builders  # noqa: E402
import image  # noqa: E402
import output  # noqa: E402
import servers  # noqa: E402

ORACLE_VERSION = "BuildKit 0.34.2"


def load_cases():
    cases = {}
    for path in sorted((HERE / "cases").glob("*.py")):
        group = path.stem
        for name, case in importlib.import_module("cases." + group).CASES.items():
            cases[group + "/" + name] = {**case, "group": group}
    return cases


def write_files(files, directory):
    """Files: text, or a dictionary with link, mode, hardlink, bytes, fifo, or None for a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, what in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        what = {"text": what} if isinstance(what, str) else what if what is not None else {"directory": True}
        if what.get("directory"):
            path.mkdir(exist_ok=True)
        elif "link" in what:
            path.symlink_to(what["link"])
            continue
        elif "hardlink" in what:
            os.link(directory / what["hardlink"], path)
            continue
        elif what.get("fifo"):
            os.mkfifo(path)
        else:
            path.write_bytes(what.get("bytes", what.get("text", "").encode()))
        path.chmod(what.get("mode", 0o755 if what.get("directory") else 0o644))
    for path in sorted(directory.rglob("*"), reverse=True):
        # BuildKit takes a file of the same name, size and time for one that it has already.
        content = path.is_file() and not path.is_symlink()
        when = 1_000_000_000 + (zlib.crc32(path.read_bytes()) % 1_000_000 if content else 0)
        os.utime(path, (when, when), follow_symlinks=False)


def write_case(case, root, server):
    """Lays a case out below `root`; what is served goes to `server`. Returns what the builders take."""
    names = {"@HTTP@": server.address, "@REGISTRY@": builders.REGISTRY}
    filled = lambda text: output.fill(text, names)  # noqa: E731
    write_files(case.get("files", {}), root / "context")
    (root / case.get("dockerfile_name", "Dockerfile")).write_text(filled(case["dockerfile"]))
    if "own_ignore" in case:
        (root / (case.get("dockerfile_name", "Dockerfile") + ".dockerignore")).write_text(case["own_ignore"])
    contexts = {}
    for name, what in case.get("contexts", {}).items():
        if isinstance(what, str):
            contexts[name] = filled(what)
        else:
            contexts[name] = root / ("context-" + str(len(contexts)))
            write_files(what, contexts[name])
    secrets = {}
    for name, text in case.get("secrets", {}).items():
        secrets[name] = root / ("secret-" + name)
        secrets[name].write_text(text)
    server.offer(case.get("http", {}), case.get("git", []))
    return builders.Request(context=root / "context", dockerfile=root / case.get("dockerfile_name", "Dockerfile"),
                            archive=root / "image.tar", target=case.get("target", ""), args=case.get("args", {}),
                            labels=case.get("labels", {}), secrets=secrets, contexts=contexts,
                            platform=case.get("platform", ""), group=case.get("group", ""))


def needed_bases(case):
    """The images of the test registry that a case begins with or names."""
    named = {what.rpartition("@REGISTRY@/")[2] for what in case.get("contexts", {}).values() if isinstance(what, str)}
    return [name for name, image in builders.BASES.items() if name == case.get("base", "busybox") or image in named]


def base_layers(case):
    return 0 if case.get("base") == "scratch" else builders.layers_of(case.get("base", "busybox"))


def outcome(case, request, result, server):
    """What is compared of one build."""
    names = {"@HTTP@": server.address, "@REGISTRY@": builders.REGISTRY}
    found = {"warnings": output.warnings(result.stderr)}
    if result.returncode != 0:
        found.update({"fails": True, "line": output.failed_line(result.stderr, request.dockerfile.name),
                      "message": output.message(result.stderr, names)})
    else:
        found.update(image.describe(request.archive, base_layers(case), case.get("ignore", [])))
        found["history"] = [[output.anonymous(text, names), empty] for text, empty in found["history"]]
    if not found["warnings"] or ("fails" in found and "lint violation" not in found["message"]):
        del found["warnings"]
    return found


def build(builder, case, server):
    """The case; with `rebuilds`, a list of changed files, built again after each, and what ran then."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        root = pathlib.Path(temporary)
        request = write_case(case, root, server)
        result = builder.build(request)
        found = outcome(case, request, result, server)
        log = result.stderr
        for change in case.get("rebuilds", []):
            for name in change.get("remove", []):
                (root / "context" / name).unlink()
            write_files(change.get("files", {}), root / "context")
            request.args = {**request.args, **change.get("args", {})}
            if "dockerfile" in change:
                request.dockerfile.write_text(change["dockerfile"])
            result = builder.build(request)
            log += result.stderr
            found.setdefault("rebuilds", []).append(
                output.steps_that_ran(result.stderr) if result.returncode == 0 else "failed")
        return found, log


def differences(expected, found, path=""):
    if isinstance(expected, dict) and isinstance(found, dict):
        out = []
        for key in sorted(set(expected) | set(found)):
            out += differences(expected.get(key, "(absent)"), found.get(key, "(absent)"), path + "/" + key)
        return out
    if path == "/line" and expected == 0:
        return []  # BuildKit shows no place; we may
    if path == "/message":
        return [] if output.says(found, expected) else ["%s: expected %s, got %s" % (path, expected, found)]
    return [] if expected == found else ["%s: expected %s, got %s" % (path, json.dumps(expected), json.dumps(found))]


def expected_path(group):
    return HERE / "expected" / (group + ".json")


def save_expected(group, cases):
    """One line per case, so that a change of one is a change of one line."""
    lines = ",\n".join("%s: %s" % (json.dumps(n), json.dumps(v, sort_keys=True)) for n, v in sorted(cases.items()))
    expected_path(group).write_text('{"oracle": %s, "cases": {\n%s\n}}\n' % (json.dumps(ORACLE_VERSION), lines))


def load_expected():
    out = {}
    for path in (HERE / "expected").glob("*.json"):
        for name, value in json.loads(path.read_text())["cases"].items():
            out[path.stem + "/" + name] = value
    return out


def build_all(builder, cases, names, jobs):
    """Yields (name, outcome, log) in the order of the names; several builds at a time, each with a server of its own."""
    free = queue.SimpleQueue()
    for _ in range(jobs):
        free.put(servers.Server())

    def one(name):
        server = free.get()
        try:
            base = ""
            for needed in needed_bases(cases[name]):
                base = needed
                builders.layers_of(needed)
            return build(builder, cases[name], server)
        except OSError as error:
            return None, "no base %s: %s" % (base, error)
        finally:
            free.put(server)

    try:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for name, future in [(name, pool.submit(one, name)) for name in names]:
                yield name, *future.result()
    finally:
        while not free.empty():
            free.get().close()


def record(cases, names, jobs):
    builder = builders.BuildKit(os.environ["STAGEWRIGHT_ORACLE"], os.environ.get("STAGEWRIGHT_RUNC", "runc"))
    expected = load_expected()
    try:
        for name, found, log in build_all(builder, cases, names, jobs):
            if found is None:
                print("skipped %s: %s" % (name, log), flush=True)
                continue
            if found.get("message") == "" and "fails" in found and name.startswith("rebuild/complete_"):
                print("not recorded %s: the network failed: %s" % (name, log.strip().splitlines()[-1]), flush=True)
                continue
            expected[name] = found
            print("recorded %s%s" % (name, " (fails: %s)" % log.strip().splitlines()[-1] if "fails" in expected[name] else ""),
                  flush=True)
    finally:
        for group in sorted({name.split("/")[0] for name in names}):
            mine = {n.split("/", 1)[1]: v for n, v in sorted(expected.items()) if n in cases and n.startswith(group + "/")}
            save_expected(group, mine)
        builder.close()
    return 0


def compare(cases, names, binary, jobs, verbose):
    expected = load_expected()
    known = json.loads((HERE / "known.json").read_text())  # docs/compatibility.md
    builder = builders.Stagewright(binary)
    wrong, skipped = [], []
    try:
        for name, found, log in build_all(builder, cases, names, jobs):
            if name not in expected:
                wrong.append(name)
                print("FAIL %s: no expectation is recorded" % name, flush=True)
                continue
            if found is None:
                skipped.append(name)
                print("SKIP %s: %s" % (name, log), flush=True)
                continue
            lines = differences(expected[name], found)
            if lines and name in known:
                print("known %s: %s" % (name, known[name]), flush=True)
                continue
            if name in known:
                lines = ["is listed in known.json and does not differ any more"]
            if lines or verbose:
                print("%s %s" % ("FAIL" if lines else "ok  ", name), flush=True)
            if lines:
                wrong.append(name)
                print("    " + "\n    ".join(lines[:12]))
                if "fails" in found:
                    print("    " + "\n    ".join(log.strip().splitlines()[-6:]))
    finally:
        builder.close()
    differ = len(set(known) & set(names))
    print("%d of %d cases as %s has them, %d known differences, %d skipped" %
          (len(names) - len(wrong) - len(skipped) - differ, len(names), ORACLE_VERSION, differ, len(skipped)))
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--missing", action="store_true", help="record only what has no expectation yet")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--stagewright", default=os.environ.get("STAGEWRIGHT", "stagewright"))
    parser.add_argument("--jobs", type=int, default=2, help="builds at a time")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the cases that are as BuildKit has them too")
    parser.add_argument("names", nargs="*", help="names or prefixes of cases")
    options = parser.parse_args()
    cases = load_cases()
    names = [n for n in cases if not options.names or any(n.startswith(p) for p in options.names)]
    if options.list:
        print("\n".join(names))
        return 0
    if os.geteuid() != 0 or not (shutil.which("crun") or shutil.which("runc")):
        print("SKIP: needs root and an OCI runtime")
        return 77
    try:
        builders.layers_of("busybox")
    except OSError as error:
        print("SKIP: no registry with busybox at %s: %s" % (builders.REGISTRY, error))
        return 77
    if options.record:
        known = load_expected() if options.missing else {}
        return record(cases, [n for n in names if n not in known], options.jobs)
    return compare(cases, names, options.stagewright, options.jobs, options.verbose)


if __name__ == "__main__":
    sys.exit(main())
