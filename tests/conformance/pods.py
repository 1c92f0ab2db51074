#!/usr/bin/env python3
"""Builds a sample of the cases in pods on the real cluster and compares with BuildKit's expectations and the local engine.

    eval "$(scripts/cluster.sh env)"; tests/conformance/pods.py [--stagewright PROGRAM] [CASE…]

What must be equal: everything that run.py compares with BuildKit (config, history, layers, whiteouts, tree), and against the
local engine, which builds the same Dockerfile from the same files, also the diff ids of layers that have no times of the build
in them. 77 where no cluster with the operator is reachable.
"""
import argparse
import gzip
import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.path.insert(0, str(HERE))
import builders  # noqa: E402
import harness  # noqa: E402
import image  # noqa: E402
import run  # noqa: E402
from gitserver import GitServer  # noqa: E402
from registry import Image  # noqa: E402

# Nothing that asks for device files (pods of user namespaces make none) or for modes and hard links that git does not keep.
SAMPLE = """
config/env_several config/env_modifiers config/label_several config/cmd_shell_set config/entrypoint_then_cmd config/expose_range config/healthcheck
config/arg_history config/arg_given config/global_uses_global config/inherit_config config/inherit_history config/siblings config/number_from config/onbuild_same_file
config/target_a copy/directory_to_name copy/sources_star copy/sources_several copy/links_destination_is_link_to_directory copy/links_link_inside_destination_replaced
copy/metadata_below_takes_source copy/chown_nobody_wheel copy/chmod_link copy/parents_double_star copy/exclude_double_star copy/scratch_directory
copy/heredoc_two copy/ignore_exception copy/ignore_deep_exception run/change_rename_directory run/change_recreate_with_file run/change_directory_to_link run/change_over_three_layers
run/workdir_user run/user_name run/heredoc_script run/heredoc_shell_name run/mount_cache run/mount_bind
""".split()
BATCH = 8


class Pushed:
    """A pushed image, as image.describe() reads it."""

    def __init__(self, reference):
        self.image = Image(reference)
        self.config = self.image.config
        self.layers = [layer["digest"] for layer in self.image.manifest["layers"]]

    def layer(self, digest):
        raw = self.image.blob(digest)
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def expressible(files):
    """What git keeps: text, executables, links."""
    plain, links = {}, {}
    for name, what in files.items():
        if isinstance(what, str):
            plain[name] = what
        elif what is not None and "link" in what:
            links[name] = what["link"]
        elif what is not None and "hardlink" not in what and not what.get("fifo") and what.get("mode", 0o644) == 0o644:
            plain[name] = what.get("bytes", what.get("text", ""))
    return plain, links


def in_pods(namespace, server, name, case):
    """Applies the ImageBuild of a case; gives its name."""
    label = name.replace("/", "-").replace("_", "-").lower()[-40:].strip("-")  # the longest name of an ImageBuild
    plain, links = expressible(case.get("files", {}))
    url, commit = server.repository(label, {**plain, ".keep": ""}, links)
    spec = {"source": {"git": {"url": url, "ref": {"commit": commit}}}, "dockerfileInline": case["dockerfile"],
            "buildContexts": [{"name": "busybox", "image": harness.BUSYBOX}]}
    if case.get("args"):
        spec["buildArgs"] = [{"name": k, "value": v} for k, v in case["args"].items()]
    if case.get("target"):
        spec["target"] = case["target"]
    namespace.build(label, **spec)
    return label


def locally(builder, case, root):
    plain, links = expressible(case.get("files", {}))
    run.write_files({**plain, ".keep": "", **{name: {"link": target} for name, target in links.items()}}, root / "context")
    (root / "Dockerfile").write_text(case["dockerfile"])
    request = builders.Request(root / "context", root / "Dockerfile", root / "image.tar", case.get("target", ""), case.get("args", {}), {}, {}, {}, "")
    result = builder.build(request)
    assert result.returncode == 0, result.stderr
    return image.Archive(root / "image.tar")


def without_times(found):
    for value in found["tree"].values():
        if value:
            value.pop("mtime", None)
    return found


def compare(name, case, pushed, local):
    below = run.base_layers(case)
    theirs, ours = without_times(image.describe_image(local, below)), without_times(image.describe_image(pushed, below))
    lines = run.differences(theirs, ours)
    # Files that the build made have times of their own; without them the layers are the same bytes.
    untimed = lambda archive: [image.untimed_digest(archive.layer(d)) for d in archive.layers[below:]]  # noqa: E731
    lines += ["/diff ids without times: %s and %s" % (a, b) for a, b in zip(untimed(local), untimed(pushed)) if a != b]
    if not case.get("files") or "COPY . " not in case["dockerfile"]:  # .keep is in the context here
        ours = {key: value for key, value in ours.items() if key not in ("tree", "hardlinks")}  # git keeps no hard links
        expected = {key: value for key, value in without_times(run.load_expected()[name]).items() if key in ours}
        lines += ["BuildKit " + line for line in run.differences(expected, ours)]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stagewright", default=os.environ.get("STAGEWRIGHT", str(HERE.parents[1] / "build/release/bin/stagewright")))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if not os.environ.get("KUBECONFIG") or harness.kubectl("get", "crd", "imagebuilds.build.stagewright.dev", check=False).returncode != 0:
        print("SKIP: no cluster with the operator is reachable")
        return 77
    cases = run.load_cases()
    names = options.names or SAMPLE
    builder, wrong = builders.Stagewright(options.stagewright), []
    try:
        with GitServer() as server, harness.Namespace("pods") as namespace:
            for begin in range(0, len(names), BATCH):
                batch = {name: in_pods(namespace, server, name, cases[name]) for name in names[begin:begin + BATCH]}
                for name, label in batch.items():
                    try:
                        namespace.succeeded(label, timeout=300)
                    except AssertionError:
                        wrong.append(name)
                        failure = namespace.status(label).get("failure", {}).get("message", "")
                        print("FAIL %s: the build failed: %s" % (name, failure), flush=True)
                        continue
                    with tempfile.TemporaryDirectory(prefix="pods-") as root:
                        local = locally(builder, cases[name], pathlib.Path(root))
                        lines = compare(name, cases[name], Pushed("%s/%s/%s:1" % (harness.PUSH_REGISTRY, namespace.name, label)), local)
                    print("%s %s" % ("FAIL" if lines else "ok  ", name), flush=True)
                    if lines:
                        wrong.append(name)
                        print("    " + "\n    ".join(lines[:8]))
    finally:
        builder.close()
    print("%d of %d cases are in pods what they are locally" % (len(names) - len(wrong), len(names)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
