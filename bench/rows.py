"""What is built: for each row a context, a Dockerfile, and what happens between two builds of it."""
import dataclasses
import os
import random

REGISTRY = "127.0.0.1:5055"  # of the benchmark alone, in a network namespace of its own


def size_of(name, default):
    return int(os.environ.get(name, default))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def one_byte(context, rng):
    write(context / "byte", b"x")
    return "FROM scratch\nCOPY byte /byte\n"


def hello(context, rng):
    write(context / "main.go", 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n')
    write(context / "go.mod", "module hello\n\ngo 1.19\n")
    return ("FROM %s/golang AS build\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /hello .\n"
            "FROM scratch\nCOPY --from=build /hello /hello\nENTRYPOINT [\"/hello\"]\n" % REGISTRY)


def small_files(context, rng):
    for number in range(size_of("FILES", 20000)):
        write(context / "tree" / ("d%03d" % (number // 100)) / ("f%05d" % number), rng.randbytes(rng.randint(200, 1800)).hex())
    write(context / "last", "last")
    return ("FROM %s/busybox\nCOPY tree /tree\nRUN find /tree -name '*77' | head -100 | xargs touch\nCOPY last /last\n" % REGISTRY)


def big_file(context, rng):
    half = size_of("BYTES", 1 << 30) // 2
    line = b"".join(b"%08d the quick brown fox jumps over the lazy dog\n" % n for n in range(20000))
    with open(context / "big", "wb") as out:
        for _ in range(half >> 20):
            out.write(rng.randbytes(1 << 20))
        for _ in range(half // len(line)):
            out.write(line)
    return "FROM scratch\nCOPY big /big\n"


def many_stages(context, rng):
    count = size_of("STAGES", 10)
    text = ""
    for n in range(count):
        text += ("FROM %s/busybox AS s%d\nRUN sleep 2; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo %d > /out%d\n"
                 % (REGISTRY, n, n, n))
    return text + "FROM scratch\n" + "".join("COPY --from=s%d /out%d /\n" % (n, n) for n in range(count))


def big_base(context, rng):
    return ("FROM %s/bench-many:latest\nRUN cd /many && ls | head -12 | xargs rm -r && for d in $(ls | head -12); do "
            "for f in $d/*; do mv $f $f.moved; done; done\n" % REGISTRY)


def fill_many(context, rng):
    """The base of big_base: one layer of many small files."""
    for number in range(size_of("BASE_FILES", 50000)):
        write(context / "many" / ("d%03d" % (number // 500)) / ("f%05d" % number), rng.randbytes(64).hex())
    write(context / "Dockerfile", "FROM %s/busybox\nCOPY many /many\n" % REGISTRY)


def packages(context, rng):
    for number in range(300):
        package = context / "packages" / ("p%03d" % number)
        for file in range(20):
            write(package / "usr/lib" / ("p%03d" % number) / ("f%02d" % file), rng.randbytes(rng.randint(500, 8000)))
        write(package / "usr/share/doc" / ("p%03d" % number) / "README", b"doc\n" * 200)
    return ("FROM %s/busybox\nRUN --mount=target=/src cp -a /src/packages/. /tmp/p && for p in /tmp/p/*; do cp -a $p/. /; "
            "mkdir -p /var/lib/dpkg/info; echo $p >> /var/lib/dpkg/status; touch /var/lib/dpkg/info/$(basename $p).list; done; "
            "rm -rf /tmp/p /usr/share/doc\n" % REGISTRY)


def change_last(context, number):
    write(context / "last", "run %d" % number)


def change_one(context, number):
    """So that the layer is one which the registry does not have yet."""
    write(context / "tree" / "d000" / "f00000", "run %d" % number)


def change_big(context, number):
    with open(context / "big", "r+b") as file:
        file.write(b"run %012d" % number)


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    anew: bool = True               # every step again, into a repository that does not exist yet; base images are there
    change: object = None           # what happens to the context before each build
    compression: str = "gzip"
    builds: int = 1                 # more: so many, two at a time, and the table says how many a minute
    aim: float = 0                  # wall time as a fraction of BuildKit's; 0: none is set


@dataclasses.dataclass(frozen=True)
class Row:
    fill: object
    variants: tuple


ROWS = {
    "W0": Row(one_byte, (Variant("warm", aim=0.5), Variant("20 builds, 2 at a time", builds=20, aim=0.58))),
    "W1": Row(hello, (Variant("warm", aim=0.6), Variant("hot", anew=False, aim=0.4))),
    "W2": Row(small_files, (Variant("warm", change=change_one, aim=0.3),)),
    "W3": Row(big_file, (Variant("gzip", change=change_big, aim=0.28),
                          Variant("zstd", change=change_big, compression="zstd", aim=0.5))),
    "W4": Row(many_stages, (Variant("warm", aim=0.92),)),
    "W5": Row(small_files, (Variant("nothing changed", anew=False, aim=0.3),
                            Variant("last COPY changed", anew=False, change=change_last, aim=0.3))),
    "W6": Row(big_base, (Variant("warm", aim=0.35),)),
    "W7": Row(packages, (Variant("warm"),)),
}


def make_rng():
    return random.Random(size_of("SEED", 1))
