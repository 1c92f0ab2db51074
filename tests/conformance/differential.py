#!/usr/bin/env python3
"""Makes random small Dockerfiles from a grammar, builds each with BuildKit and with the local engine, and reports where
they differ, shortened to the instructions that matter.

    STAGEWRIGHT_ORACLE=… differential.py --stagewright build/release/bin/stagewright [--seed N] [--count N | --seconds N]

One line per difference that is new (its instructions, then what differs); exit 1 if there was one. The same seed gives
the same Dockerfiles. What it finds belongs, once understood, into cases/ as a case of its own.
"""
import argparse
import os
import random
import re
import sys
import time

import builders
import run
import servers

FILES = {"a.txt": "a", "b.txt": "bb", "c.md": "c", "dir/one": "1", "dir/two.txt": "2", "dir/sub/deep": "d", "dir/sub/x.md": "x", "dir/l": {"link": "one"}, "dir/ld": {"link": "sub"}, "lf": {"link": "a.txt"}, "ld": {"link": "dir"}, "bad": {"link": "nope"},
         "x.sh": {"text": "#!/bin/sh\n", "mode": 0o755}, "su": {"text": "s", "mode": 0o4711}, "h1": "hard", "h2": {"hardlink": "h1"}, ".hid": "h", "sp ace": "s", "d2/one": "o", "d2/dir/one": "oo", "empty": None}
VALUES = ["1", "x", "a b", "", "/v", "a=b", "$A", "${B}", "${A:-def}", "${B-def}", "${C:+set}", "${A#a}", "${A%%x*}", "${A//a/b}", "$A$B", "\\$A", "'$A'", '"$A x"', "a\\ b", "${A:?need}", "$1", "ä", "${D:-${A}}", "x$", '"a\'b"', "'a\"b'", "*", "~", "#x", "a#b", "${A/b/$B}"]
NAMES = ["A", "B", "C", "D", "PATH", "HOME", "a_b", "X1"]
SOURCES = ["a.txt", "dir", "dir/", "*.txt", "dir/*", "lf", "ld", "ld/one", ".", "./dir", "d*", "su", "x.sh", "h1 h2", "h*", ".hid", "nope", "nope*", "dir/sub", "dir d2", "a.txt b.txt", "dir/one a.txt", "?.txt", "[ab].txt", "bad", "empty", "../a.txt", "/dir/one", "dir/../a.txt", "dir/./sub", "**/one", "dir/**", "$A", "d2", "dir/l", "dir/ld"]
TARGETS = ["/d", "/d/", "/d/e/f", "/d/e/", ".", "./", "x", "x/", "/tmp", "/tmp/", "/", "/l", "/l/", "/d/.", "/d/one", "/d/sub", "/d/../e", "$B", "/r", "/d/a.txt"]
OWNERS = ["1", "1:2", "daemon", "nobody:wheel", "ghost", "nobody:", "0", ":3", "5:ghost", "$A"]
MODES = ["644", "0755", "4711", "1777", "u=rwX,go=rX", "a+x", "go-r", "g=u", "0", "u+s", "o=", "99", "$A"]
COMMANDS = ["true", "echo {n} > /o{n}", "mkdir -p /d && echo {n} > /d/f{n}", "mkdir -p /d/sub && chmod 700 /d", "rm -rf /d", "ln -sfn /r /l; mkdir -p /r", "ln -s /nowhere /d{n}", "touch /d", "mkdir -p /d/one", "mv /d /e", "chown -R 3:4 /d; true", "rm -f /d/one", "ln /a /b; true", "echo $A$B$C > /v{n}", "id > /tmp/id", "pwd > /tmp/pwd; echo $HOME >> /tmp/pwd", "env | grep -E '^[ABCD]=' > /env; true", "echo x > /tmp/x{n}", "rm -rf /d && mkdir /d && echo n > /d/one", "chmod 2755 /d; true", "mkdir -p /r && echo r > /r/one", "rm -rf /tmp && mkdir -m 1777 /tmp"]
WORKDIRS = ["/w", "w", "/w/../x", "/w/", "..", ".", "/", "$A", "/d", "/l/x", "a/b/", "//x", "/l"]
USERS = ["0", "daemon", "1:2", "nobody", "ghost", "5:wheel", "4711", ":3", "$A"]


class Grammar:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0

    def pick(self, values):
        return self.random.choice(values)

    def chance(self, probability):
        return self.random.random() < probability

    def flags(self, add):
        out = []
        for probability, make in ((0.2, lambda: "--chown=" + self.pick(OWNERS)), (0.15, lambda: "--chmod=" + self.pick(MODES)), (0.15, lambda: "--link"),
                                  (0.12, lambda: "--exclude=" + self.pick(["one", "*.txt", "**/one", "sub", "dir/one", "!one", "*"]))):
            out += [make()] if self.chance(probability) else []
        return out + (["--parents"] if not add and self.chance(0.15) else [])

    def copy(self, stages):
        add = self.chance(0.2)
        words = ["ADD" if add else "COPY"] + self.flags(add)
        source = self.pick(SOURCES)
        if not add and stages and self.chance(0.3):
            words.append("--from=" + self.pick(stages))
            source = self.pick(["/d", "/r", "/tmp", "/o1", "/etc/passwd", "/d/*", "d/one", "/l", "/d/sub", "/env", "/w"])
        target = self.pick(TARGETS)
        if self.chance(0.1):
            return " ".join(words + ["<<EOF", target]) + "\nbody $A ${B:-b}\nEOF"
        if self.chance(0.1):
            return " ".join(words) + " [" + ", ".join('"%s"' % w for w in source.split() + [target]) + "]"
        return " ".join(words + [source, target])

    def assignment(self):
        return "%s=%s" % (self.pick(NAMES[:5] if self.chance(0.9) else NAMES), self.quoted(self.pick(VALUES)))

    def quoted(self, value):
        return '"%s"' % value if " " in value and not value.startswith(("'", '"')) and "\\" not in value else value

    def instruction(self, stages):
        self.count += 1
        makers = [(6, lambda: self.copy(stages)), (4, lambda: "RUN " + self.pick(COMMANDS).format(n=self.count)), (3, lambda: "ENV " + " ".join(self.assignment() for _ in range(self.pick([1, 1, 2])))),
                  (2, lambda: "ARG " + (self.assignment() if self.chance(0.7) else self.pick(NAMES[:4]))), (2, lambda: "WORKDIR " + self.pick(WORKDIRS)), (1, lambda: "USER " + self.pick(USERS)), (1, lambda: "LABEL " + self.assignment()),
                  (0.4, lambda: self.pick(['CMD ["x"]', "CMD x $A", "CMD []", 'ENTRYPOINT ["e"]', "ENTRYPOINT e", "ENTRYPOINT []"])), (0.3, lambda: "EXPOSE " + self.pick(["80", "80/udp 81", "90-92", "$A", "x"])), (0.3, lambda: "VOLUME " + self.pick(["/v", '["/a", "b"]', "$A"])),
                  (0.3, lambda: "HEALTHCHECK " + self.pick(["NONE", "CMD x", "--interval=3s CMD [\"a\"]"])), (0.2, lambda: 'SHELL ["/bin/sh", "-ec"]'), (0.2, lambda: "STOPSIGNAL " + self.pick(["9", "TERM", "x"])), (0.4, lambda: "ONBUILD " + self.pick(["ENV A=on", "RUN touch /on", "COPY a.txt /on/", "ARG B=on"])),
                  (0.5, lambda: "RUN " + self.pick(["--mount=target=/m ls /m > /m{n}", "--mount=type=cache,id=fuzz{n},target=/d/c touch /d/c/x", "--mount=type=tmpfs,target=/d touch /d/t", "--mount=source=dir,target=/w/m cat /w/m/one > /tmp/m"]).format(n=self.count))]
        weights, functions = zip(*makers)
        return self.random.choices(functions, weights)[0]()

    def dockerfile(self):
        lines, stages = [], []
        if self.chance(0.2):
            lines.append("ARG " + self.assignment())
        for number in range(self.pick([1, 1, 1, 2, 2, 3])):
            base = self.pick(stages) if stages and self.chance(0.4) and not self.pick(stages).isdigit() else "busybox"
            base = base if not base.isdigit() else "busybox"
            name = "s%d" % number
            lines.append("FROM %s AS %s" % (base, name))
            lines += [self.instruction(stages) for _ in range(self.pick([1, 2, 3, 4, 6]))]
            stages += [name, str(number)]
        return lines


def compare(theirs, ours, case, server):
    expected, _ = run.build(theirs, case, server)
    found, _ = run.build(ours, case, server)
    return run.differences(expected, found)


def kind(lines):
    """What two differences have in common that are the same one."""
    return tuple(sorted({re.sub(r"/tree/.*?: ", "/tree: ", re.sub(r"\d+", "N", line))[:60] for line in lines}))


def shorten(lines, differs):
    """Leaves out instructions, later ones first, while there is still a difference."""
    position = len(lines) - 1
    while position >= 0:
        shorter = lines[:position] + lines[position + 1:]
        if any(line.startswith("FROM") for line in shorter) and differs(shorter):
            lines = shorter
        position -= 1
    return lines


def case_of(lines):
    return {"dockerfile": "\n".join(lines) + "\n", "files": FILES, "base": "busybox"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stagewright", default=os.environ.get("STAGEWRIGHT", "stagewright"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    theirs = builders.BuildKit(os.environ["STAGEWRIGHT_ORACLE"], os.environ.get("STAGEWRIGHT_RUNC", "runc"))
    ours, server, seen = builders.Stagewright(options.stagewright), servers.Server(), set()
    number, end = options.seed, time.monotonic() + options.seconds
    try:
        while number < options.seed + options.count if options.count else time.monotonic() < end:
            lines = Grammar(number).dockerfile()
            found = compare(theirs, ours, case_of(lines), server)
            if found and kind(found) not in seen:
                seen.add(kind(found))
                lines = shorten(lines, lambda shorter: bool(compare(theirs, ours, case_of(shorter), server)))
                found = compare(theirs, ours, case_of(lines), server)
                print("seed %d:\n  %s\n    %s" % (number, "\n  ".join(lines), "\n    ".join(found[:6])), flush=True)
            number += 1
    finally:
        theirs.close()
        ours.close()
        server.close()
    print("%d Dockerfiles, %d kinds of difference" % (number - options.seed, len(seen)))
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main())
