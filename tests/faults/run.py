#!/usr/bin/env python3
"""Runs fault cases on a real API server with fake nodes: run.py [--list | --table] [CASE...]; CASE is file.test_name,
file, or nothing for all; --table prints the table of docs/faults.md. STAGEWRIGHT_OPERATOR names the operator (default: build/dev/bin/stagewright-operator),
STAGEWRIGHT_FAULTS_KEEP=1 keeps logs and audit log.

Exit code 0: passed; 1: failed; 77: what it needs is missing (CTest's SKIP_RETURN_CODE)."""
import importlib
import pathlib
import sys
import time
import traceback

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here / "cases")]
sys.dont_write_bytecode = True

from control_plane import ControlPlane, Missing, TooSlow, cluster_program, enter_namespaces  # noqa: E402
from oracle import Audit, Recorder  # noqa: E402
from replica import operator_program  # noqa: E402
from world import World  # noqa: E402


def cases():
    for path in sorted((here / "cases").glob("*.py")):
        module = importlib.import_module(path.stem)
        for name in sorted(vars(module)):
            if name.startswith("test_"):
                yield f"{path.stem}.{name}", getattr(module, name)


def table(everything):
    """The rows of docs/faults.md: a case's name in words, and its docstring, which is our promise."""
    rows = ["| fault | what we promise | case |", "|---|---|---|"]
    for name, function in everything:
        promise = " ".join(function.__doc__.split())
        rows.append(f"| {name.split('.test_')[1].replace('_', ' ')} | {promise} | `{name}` |")
    return "\n".join(rows)


class Planes:
    """One control plane for all cases that ask for the same; a case that failed or broke it gets no successor on it."""

    def __init__(self):
        self.plane, self.options, self.recorder = None, None, None

    def get(self, options):
        if self.plane is None or self.options != options:
            self.close()
            self.plane, self.options = ControlPlane(**options), options
            self.plane.__enter__()
            self.recorder = Recorder(self.plane.api)
        return self.plane, self.recorder

    def close(self, kind=None):
        if self.plane is not None:
            self.recorder.stopped = True
            self.plane.__exit__(kind, None, None)
            self.plane = None


def run_case(planes, name, function):
    """Whether it failed; None: it was skipped."""
    start = time.monotonic()
    plane, recorder = planes.get(getattr(function, "plane", {}))
    world = World(plane, recorder, Audit(plane.audit), name.split(".test_")[1].replace("_", "-")[:30])
    try:
        function(world)
        failed, verdict = False, "ok"
    except TooSlow as reason:
        failed, verdict = None, f"SKIPPED: this machine is too slow: {reason}"
    except Exception:  # a case may fail in any way; the next one still runs
        traceback.print_exc(file=sys.stdout)
        world.explain()
        failed, verdict = True, "FAILED"
    world.close()
    if failed is not False or getattr(function, "breaks_plane", False):
        planes.close(AssertionError if failed else None)
    print(f"{name}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    return failed


def main(arguments):
    everything = list(cases())
    if "--list" in arguments:
        print("\n".join(name for name, _ in everything))
        return 0
    if "--table" in arguments:
        print(table(everything))
        return 0
    if "--documented" in arguments:
        true = table(everything) in (here.parents[1] / "docs" / "faults.md").read_text()
        print("docs/faults.md tells every case" if true else "docs/faults.md does not hold what run.py --table prints")
        return 0 if true else 1
    wanted = [a for a in arguments if not a.startswith("-")]
    chosen = [(n, f) for n, f in everything if not wanted or n in wanted or n.split(".")[0] in wanted]
    if not chosen:
        print(f"no case matches {' '.join(wanted)}")
        return 1
    try:
        cluster_program("hyperkube")
        if not pathlib.Path(operator_program()).exists():
            raise Missing(operator_program())
        enter_namespaces()
        planes = Planes()
        verdicts = {name: run_case(planes, name, function) for name, function in chosen}
        planes.close()
    except Missing as what:
        print(f"SKIPPED {len(chosen)} fault cases: missing {what}")
        return 77
    failed = [name for name, verdict in verdicts.items() if verdict]
    if failed:
        print("failed: " + ", ".join(failed))
    return 1 if failed else 77 if None in verdicts.values() and len(chosen) == 1 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
