#!/usr/bin/env python3
"""Fails if an #include breaks the permitted direction: a folder may include only what CMakeLists.txt lists for it."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
text = re.sub(r"#.*", "", (root / "CMakeLists.txt").read_text())
allowed = {}
for call in re.findall(r"stagewright_library\(([^)]*)\)", text):
    words = call.split()
    deps, mode = [], None
    for word in words[1:]:
        if word in ("DEPS", "LIBS"):
            mode = word
        elif mode == "DEPS":
            deps.append(word)
    allowed[words[0]] = deps

def closure(folder, seen=None):
    seen = set() if seen is None else seen
    for dep in allowed.get(folder, []):
        if dep not in seen:
            seen.add(dep)
            closure(dep, seen)
    return seen

# What a pure folder may not reach for: network, file system, clock, environment.
pure = {"lib/dockerfile", "lib/oci", "lib/plan", "lib/schedule", "lib/lifecycle", "lib/pods", "lib/api", "lib/queue", "lib/policy"}
impure = re.compile(r'#include\s+<(filesystem|fstream|unistd\.h|sys/socket\.h|sys/stat\.h|fcntl\.h|curl/.*|cpprest/.*|boost/.*|ctime)>')
heavy = {"cpprest": "lib/kube", "boost": "lib/http", "curl": "lib/http", "archive.h": "builder-pod/prepare"}
# The operator serves, but asks nobody but the API server: a user's URL is no business of it (docs/security.md, item 7).
only = {("operator", "lib/http"): {"lib/http/server.h", "lib/http/certificate.h"}}

problems = []
checked = 0
for folder in allowed:
    permitted = closure(folder) | {folder}
    for path in sorted((root / folder).glob("*.[hc]*")):
        if path.name == "main.cc" and folder == "builder-pod/stage":
            pass
        checked += 1
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            where = f"{path.relative_to(root)}:{number}"
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if match:
                target = str(pathlib.PurePosixPath(match.group(1)).parent)
                if target not in permitted:
                    problems.append(f"{where}: {folder} may not include {match.group(1)}")
                if match.group(1) not in only.get((folder, target), {match.group(1)}):
                    problems.append(f"{where}: {folder} may not include {match.group(1)}, see docs/security.md, item 7")
            if folder in pure and impure.match(line):
                problems.append(f"{where}: {folder} is pure, but includes {line.strip()}")
            for name, owner in heavy.items():
                if re.match(rf"\s*#\s*include\s+<{re.escape(name)}", line):
                    if folder != owner or path.suffix == ".h":
                        problems.append(f"{where}: only .cc files of {owner} may include {name}")
print(f"{checked} files of {len(allowed)} folders checked")
if checked == 0:
    problems.append("no files found")
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
