#!/usr/bin/env python3
"""The table of values in docs/install.md says what helm/stagewright/values.yaml says, and values.schema.json knows the
same names. UPDATE_GOLDEN=1 rewrites the table."""
import json
import os
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parents[3]
chart = root / "helm" / "stagewright"
page = root / "docs" / "install.md"
BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"


def read_values():
    """(path, default, comment) of each line of values.yaml that has a value, in order. The file keeps to a style that
    makes this possible: two levels of block maps, the rest in flow style, comments above what they explain."""
    rows, comment, parents = [], [], []
    for line in (chart / "values.yaml").read_text().splitlines():
        text = line.strip()
        if text.startswith("#"):
            comment.append(text.lstrip("# "))
            continue
        if not text:
            comment = []
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        key, _, value = text.partition(":")
        parents[depth:] = [(key, comment)]
        comment = []
        if value.strip():
            # What stands above a map without a value holds for its first entry.
            above = [c for k, c in parents[:depth] if c]
            rows.append((".".join(k for k, _ in parents), value.strip(), " ".join(sum(above, []) + parents[-1][1])))
            for i in range(depth):
                parents[i] = (parents[i][0], [])
    return rows


def table(rows):
    lines = ["| value | default | meaning |\n", "|---|---|---|\n"]
    for path, value, comment in rows:
        cells = [f"`{path}`", f"`{value}`", comment]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n")
    return "".join(lines)


def schema_paths(schema, path=""):
    for key, child in schema.get("properties", {}).items():
        if path == "" and key == "global":
            continue
        yield path + key
        yield from schema_paths(child, f"{path}{key}.")


def main():
    rows = read_values()
    text = page.read_text()
    head, rest = text.split(BEGIN)
    wanted = head + BEGIN + table(rows) + END + rest.split(END)[1]
    if os.environ.get("UPDATE_GOLDEN"):
        page.write_text(wanted)
        print("SKIPPED: docs/install.md rewritten")
        return 77
    problems = [] if wanted == text else ["docs/install.md: the table of values is not that of values.yaml; run UPDATE_GOLDEN=1 " + sys.argv[0]]
    schema = set(schema_paths(json.loads((chart / "values.schema.json").read_text())))
    known = {path for path, _, _ in rows}
    for path in sorted(schema):
        covered = any(path == k or k.startswith(path + ".") or path.startswith(k + ".") for k in known)
        if not covered:
            problems.append(f"values.schema.json has {path}, values.yaml does not")
    problems += [f"values.yaml has {path}, values.schema.json does not" for path in sorted(known)
                 if path not in schema and not any(path.startswith(s + ".") for s in schema)]
    print(*(problems or [f"{len(rows)} values: ok"]), sep="\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
