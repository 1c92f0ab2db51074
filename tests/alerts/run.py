#!/usr/bin/env python3
"""The chart's alerts: promtool checks and tests them, every one has a section in docs/runbook.md, and every metric that an
alert or the dashboard names is one that operator/metrics.cc makes.

Exit code 77 if everything but promtool's part passed and there is no promtool (Debian: prometheus)."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
files = root / "helm" / "stagewright" / "files"
rules = (files / "rules.yaml").read_text()
problems = []


def check_runbook():
    alerts = re.findall(r"^  - alert: (\w+)$", rules, flags=re.M)
    links = re.findall(r"runbook_url: RUNBOOK#(\w+)$", rules, flags=re.M)
    sections = re.findall(r"^## (\w+)$", (root / "docs" / "runbook.md").read_text(), flags=re.M)
    if sorted(alerts) != sorted(sections):
        problems.append(f"alerts {sorted(alerts)}, but docs/runbook.md has the sections {sorted(sections)}")
    if links != [a.lower() for a in alerts]:
        problems.append(f"alerts {alerts} link to {links}")


def check_metrics():
    code = (root / "operator" / "metrics.cc").read_text()
    made = set(re.findall(r'"((?:controller_runtime|workqueue|rest_client|leader_election|stagewright)_[a-z_]+)"', code))
    dashboard = json.loads((files / "dashboard.json").read_text())
    asked = {"rules.yaml": rules, "dashboard.json": " ".join(t["expr"] for p in dashboard["panels"] for t in p["targets"])}
    for name, text in asked.items():
        used = set(re.findall(r"\b(?:controller_runtime|workqueue|rest_client|leader_election|stagewright)_[a-z_]+\b", text))
        unknown = sorted(m for m in used if re.sub(r"_(bucket|sum|count)$", "", m) not in made and m not in made)
        if unknown:
            problems.append(f"{name} names metrics that the operator does not have: {', '.join(unknown)}")


def run_promtool(promtool):
    with tempfile.TemporaryDirectory() as directory:
        for source in (files / "rules.yaml", root / "tests" / "alerts" / "rules_test.yaml"):
            shutil.copy(source, directory)
        for arguments in (["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]):
            done = subprocess.run([promtool, *arguments], cwd=directory, capture_output=True, text=True)
            print(done.stdout, end="")
            if done.returncode != 0:
                problems.append(f"promtool {' '.join(arguments)}: {done.stderr}{done.stdout}")


check_runbook()
check_metrics()
promtool = shutil.which("promtool")
if promtool:
    run_promtool(promtool)
print(*problems, sep="\n")
if problems:
    sys.exit(1)
if not promtool:
    print("SKIPPED: there is no promtool (apt-get install prometheus)")
    sys.exit(77)
