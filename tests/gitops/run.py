#!/usr/bin/env python3
"""What GitOps tools make of an ImageBuild: docs/gitops/argocd-health.lua, run by Lua as Argo CD runs it, and the kstatus
algorithm of Flux's `wait: true`, over the statuses of states/*.json. Both must say the same.

Exit code 77: there is no Lua 5.1 to 5.4."""
import json
import pathlib
import shutil
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
script = here.parents[1] / "docs" / "gitops" / "argocd-health.lua"


def to_lua(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{to_lua(k)}] = {to_lua(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(to_lua, value)) + "}"
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(f"\\{b:03d}" if b < 32 or b > 126 or b in b'"\\' else chr(b) for b in value.encode()) + '"'
    return repr(value)


def argo_health(lua, obj):
    """Argo CD sets the global `obj` and takes what the script returns. Its Lua has no io and no os."""
    program = (f"local check = assert(load([==[{script.read_text()}]==], 'health', 't', "
               "setmetatable({obj = " + to_lua(obj) + ", ipairs = ipairs}, {__index = function(_, k) error('global ' .. k) end})))\n"
               "local result = check()\nprint(result.status)\nprint((result.message:gsub('\\n', ' ')))")
    done = subprocess.run([lua, "-"], input=program, capture_output=True, text=True)
    if done.returncode != 0:
        return f"error: {done.stderr.strip()}", ""
    return done.stdout.split("\n")[0], done.stdout.split("\n")[1]


def kstatus(obj):
    """The order in which cli-utils' generic algorithm asks."""
    status, metadata = obj.get("status"), obj["metadata"]
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if status is None:
        return "Current"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return {"True": "Current", "False": "InProgress", "Unknown": "InProgress"}.get(conditions.get("Ready"), "Current")


lua = next(filter(None, map(shutil.which, ("lua5.4", "lua5.3", "lua"))), None)
failed = False
for path in sorted((here / "states").glob("*.json")):
    case = json.loads(path.read_text())
    wanted, problems = case.pop("expected"), []
    if kstatus(case) != wanted["kstatus"]:
        problems.append(f"kstatus says {kstatus(case)}, not {wanted['kstatus']}")
    if lua:
        health, message = argo_health(lua, case)
        if health != wanted["argocd"]:
            problems.append(f"Argo CD says {health}, not {wanted['argocd']}")
        elif wanted.get("message", "") not in message:
            problems.append(f"Argo CD shows {message!r}")
    failed = failed or bool(problems)
    print(f"{path.stem}: {'; '.join(problems) or 'ok'}")
if not lua and not failed:
    print("SKIPPED: there is no Lua (apt-get install lua5.4)")
    sys.exit(77)
sys.exit(failed)
