#!/usr/bin/env python3
"""Runs end-to-end cases: run.py [--list] [CASE...]; CASE is file.test_name, file, or nothing for all.

Exit code 0: passed; 1: failed; 77: everything that was asked for was skipped (CTest's SKIP_RETURN_CODE)."""
import importlib
import os
import pathlib
import sys
import time
import traceback

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here))
sys.path.insert(0, str(here / "cases"))

import harness  # noqa: E402


def cases():
    for path in sorted((here / "cases").glob("*.py")):
        module = importlib.import_module(path.stem)
        for name in sorted(vars(module)):
            if name.startswith("test_"):
                yield f"{path.stem}.{name}", getattr(module, name)


def cluster_is_there():
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG is not set"
    done = harness.kubectl("get", "crd", "imagebuilds.build.stagewright.dev", check=False)
    return None if done.returncode == 0 else f"the cluster or the CRD is not there: {done.stderr.strip()}"


def main(arguments):
    everything = list(cases())
    if "--list" in arguments:
        print("\n".join(name for name, _ in everything))
        return 0
    wanted = [a for a in arguments if not a.startswith("-")]
    chosen = [(n, f) for n, f in everything if not wanted or n in wanted or n.split(".")[0] in wanted]
    if not chosen:
        print(f"no case matches {' '.join(wanted)}")
        return 1
    missing = cluster_is_there()
    if missing:
        print(f"SKIPPED {len(chosen)} end-to-end cases: {missing}")
        return 77
    failed, skipped = [], []
    for name, function in chosen:
        start = time.monotonic()
        try:
            function()
            verdict = "ok"
        except harness.Skip as reason:
            skipped.append(name)
            verdict = f"SKIPPED: {reason}"
        except Exception:  # a case may fail in any way; the next one still runs
            traceback.print_exc(file=sys.stdout)
            failed.append(name)
            verdict = "FAILED"
        print(f"{name}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    if failed:
        print("failed: " + ", ".join(failed))
        return 1
    return 77 if len(skipped) == len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
