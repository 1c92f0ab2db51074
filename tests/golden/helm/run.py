#!/usr/bin/env python3
"""Renders helm/stagewright and compares: cases/<name>/values.yaml gives cases/<name>/expected.yaml (without the CRD),
or, for values that the schema refuses, a message that holds the line of cases/<name>/refused.txt.

UPDATE_GOLDEN=1 rewrites expected.yaml. Exit code 77: there is no helm (scripts/cluster.sh helm builds one)."""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

here = pathlib.Path(__file__).resolve().parent
root = here.parents[2]
chart = root / "helm" / "stagewright"


def find_helm():
    cache = pathlib.Path(os.environ.get("STAGEWRIGHT_CACHE")
                         or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "stagewright")
    return shutil.which("helm") or shutil.which(str(cache / "bin" / "helm"))


def run_helm(*args):
    return subprocess.run([helm, *args], capture_output=True, text=True)


def render(values):
    return run_helm("template", "stagewright", str(chart), "--namespace", "stagewright-system", "--kube-version", "1.36.0",
                    "--api-versions", "monitoring.coreos.com/v1", "--api-versions",
                    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy", "--values", str(values))


def without_crd(text):
    return "---\n".join(d for d in re.split(r"^---\n", text, flags=re.M) if "kind: CustomResourceDefinition" not in d)


def check_case(case):
    done = render(case / "values.yaml")
    refused = case / "refused.txt"
    if refused.exists():
        wanted = refused.read_text().strip()
        return [] if done.returncode != 0 and wanted in done.stderr else [f"expected a refusal with {wanted!r}, got:\n{done.stderr}"]
    if done.returncode != 0:
        return [done.stderr]
    rendered, expected = without_crd(done.stdout), case / "expected.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(rendered)
        return []
    golden = expected.read_text() if expected.exists() else ""
    return list(difflib.unified_diff(golden.splitlines(), rendered.splitlines(), "expected", "rendered", lineterm=""))


def check_crds():
    """A packaged chart holds the project's CRDs, byte by byte, and renders them."""
    problems = []
    with tempfile.TemporaryDirectory() as directory:
        done = run_helm("package", str(chart), "--destination", directory)
        if done.returncode != 0:
            return [done.stderr]
        with tarfile.open(next(pathlib.Path(directory).glob("*.tgz"))) as package:
            held = {m.name.removeprefix("stagewright/files/crds/"): package.extractfile(m).read()
                    for m in package.getmembers() if m.name.startswith("stagewright/files/crds/")}
    wanted = {p.name: p.read_bytes() for p in (root / "crds").glob("*.yaml")}
    if held != wanted:
        problems.append(f"the package holds the CRDs {sorted(held)}, crds/ holds {sorted(wanted)}, or their bytes differ")
    rendered = render(here / "cases" / "default" / "values.yaml").stdout
    if rendered.count("kind: CustomResourceDefinition\n") != len(wanted) or "helm.sh/resource-policy: keep" not in rendered:
        problems.append("the rendered chart lacks a CRD or its keep annotation")
    return problems


def check_roles():
    """However the chart is set, nobody gets what docs/security.md says nobody gets."""
    problems = []
    for case in sorted(p.parent for p in (here / "cases").glob("*/expected.yaml")):
        for document in re.split(r"^---\n", (case / "expected.yaml").read_text(), flags=re.M):
            if not re.search(r"^kind: (Cluster)?Role$", document, flags=re.M):
                continue
            name = re.search(r"^  name: (\S+)$", document, flags=re.M).group(1)
            words = set(re.findall(r"[\w*/.]+", " ".join(re.findall(r"^ *-? *(?:apiGroups|resources|verbs): (.*)$", document, flags=re.M))))
            found = words & {"secrets", "*", "escalate", "bind", "impersonate", "pods/exec", "serviceaccounts", "serviceaccounts/token"}
            if found or "imagebuilds/status" in words and name.endswith(("-edit", "-view")):
                problems.append(f"{case.name}: {name} has {', '.join(sorted(found))}")
    return problems


helm = find_helm()
if not helm:
    print("SKIPPED: there is no helm; scripts/cluster.sh helm builds one")
    sys.exit(77)
failed = False
checks = [(case.name, lambda case=case: check_case(case)) for case in sorted((here / "cases").iterdir())]
for name, check in [*checks, ("crds", check_crds), ("roles", check_roles)]:
    found = check()
    failed = failed or bool(found)
    print(f"{name}: {'FAILED' if found else 'ok'}", *found, sep="\n" if found else "")
if os.environ.get("UPDATE_GOLDEN"):
    print("SKIPPED: golden files rewritten")
    sys.exit(77)
sys.exit(failed)
