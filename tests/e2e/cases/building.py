"""Builds that succeed: what they push is what the Dockerfile says."""
import hashlib
import io
import pathlib
import tarfile

import harness
from gitserver import GitServer
from harness import BUSYBOX, DEBIAN, GOLANG, Namespace, condition, kubectl, seconds_between, wait_until
from registry import Image

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples" / "hello-go"


def test_hello_go_two_dockerfiles():
    with Namespace("hello") as ns:
        files = {p.name: p.read_text() for p in EXAMPLE.iterdir() if p.suffix in (".go", ".mod") or "Dockerfile" in p.name}
        ns.config_map("hello-src", files)
        names = sorted(n for n in files if n.startswith("Dockerfile"))
        assert len(names) == 2, names
        images = {}
        for index, dockerfile in enumerate(names):
            name = f"hello-{index}"
            ns.build(name, source={"configMap": {"name": "hello-src"}}, dockerfile=dockerfile,
                     buildArgs=[{"name": "GO_IMAGE", "value": GOLANG}])
        for index, _ in enumerate(names):
            status = ns.succeeded(f"hello-{index}", timeout=400)
            images[index] = Image(f"{harness.PUSH_REGISTRY}/{ns.name}/hello-{index}:1")
            assert images[index].digest == status["image"]["digest"], status["image"]
            assert images[index].size == status["image"]["sizeBytes"], (images[index].size, status["image"])
        small, big = sorted(images.values(), key=lambda i: i.size)
        assert big.size >= 100 * small.size, f"{big.size} is not 100 times {small.size}"
        for image in (small, big):
            layers = [h for h in image.config["history"] if not h.get("empty_layer")]
            assert len(layers) == len(image.manifest["layers"]) == len(image.config["rootfs"]["diff_ids"])
        assert "Hello Docker!" in ns.run_pod("run", f"{small.registry}/{small.repository}@{small.digest}")


def test_arguments_from_a_config_map():
    with Namespace("arguments") as ns:
        refer = lambda key: [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "env", "key": key}}}]
        dockerfile = f"FROM {BUSYBOX}\nARG COLOUR\nLABEL colour=$COLOUR\n"
        ns.config_map("env", {"colour": "green"})
        ns.inline("told", dockerfile, buildArgs=refer("colour"))
        told = ns.succeeded("told")
        assert Image(f"{harness.PUSH_REGISTRY}/{ns.name}/told:1").config["config"]["Labels"]["colour"] == "green"
        # The ConfigMap is no input: a run takes what it finds, and a rebuild takes the new value.
        ns.config_map("env", {"colour": "red"})
        kubectl("annotate", "imgb", "told", "-n", ns.name, f"{harness.GROUP}/rebuild=1")
        again = wait_until("the rebuild", 120, lambda: (lambda s: s if s.get("lastHandledRebuild") == "1" and s["run"]["id"] != told["run"]["id"]
                           and condition(s, "Finished")["status"] == "True" else None)(ns.status("told")))
        assert again["run"]["sequence"] == told["run"]["sequence"] + 1
        assert Image(f"{harness.PUSH_REGISTRY}/{ns.name}/told:1").config["config"]["Labels"]["colour"] == "red"
        ns.inline("untold", dockerfile, buildArgs=refer("color"))
        assert 'COLOUR is key "color" of ConfigMap "env", which does not exist' in ns.failed("untold", "SourceNotFound")["message"]


def test_config_and_history_are_those_of_the_language_reference():
    with Namespace("config") as ns:
        ns.inline("cfg", f"""FROM {BUSYBOX}
ARG VERSION=1
ENV A=b \\
    PATH_EXTRA="x y"
LABEL org.example.v=$VERSION
WORKDIR /srv/app
RUN echo "$VERSION" > v
EXPOSE 8080 53/udp
VOLUME /data
USER nobody
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["/bin/sh", "-c"]
CMD echo hi
""", buildArgs=[{"name": "VERSION", "value": "7"}])
        ns.succeeded("cfg")
        image = Image(f"{harness.PUSH_REGISTRY}/{ns.name}/cfg:1")
        config = image.config["config"]
        assert config["Env"][1:] == ["A=b", "PATH_EXTRA=x y"], config
        assert config["Labels"]["org.example.v"] == "7"
        assert config["WorkingDir"] == "/srv/app" and config["User"] == "nobody"
        assert set(config["ExposedPorts"]) == {"8080/tcp", "53/udp"} and set(config["Volumes"]) == {"/data"}
        assert config["StopSignal"] == "SIGINT" and config["Healthcheck"]["Interval"] == 5_000_000_000
        assert config["Entrypoint"] == ["/bin/sh", "-c"] and config["Cmd"] == ["/bin/sh", "-c", "echo hi"]
        assert image.read("/srv/app/v") == b"7\n"
        history = [(h["created_by"], bool(h.get("empty_layer"))) for h in image.config["history"]][1:]
        assert history[0] == ("ARG VERSION=7", True), history
        assert ('RUN |1 VERSION=7 /bin/sh -c echo "$VERSION" > v # buildkit', False) in history, history
        assert ("WORKDIR /srv/app", False) in history and ("USER nobody", True) in history, history
        assert history[-1] == ('CMD ["/bin/sh" "-c" "echo hi"]', True), history


DIAMOND = f"""FROM {BUSYBOX} AS base
RUN echo base > /base
FROM base AS left
RUN sleep 4; cat /base > /left; echo left >> /left
FROM base AS right
RUN sleep 4; cat /base > /right; echo right >> /right
FROM scratch
COPY --from=left /left /
COPY --from=right /right /
"""


def check_diamond(ns, status):
    image = Image(f"{harness.PUSH_REGISTRY}/{ns.name}/diamond:1")
    assert image.read("/left") == b"base\nleft\n" and image.read("/right") == b"base\nright\n"
    stages = {s["name"]: s for s in status["stages"]}
    left, right = stages["left"], stages["right"]
    overlap = min(left["completionTime"], right["completionTime"]) > max(left["startTime"], right["startTime"])
    assert overlap, f"the middle stages did not overlap: {left} {right}"
    return stages


def test_diamond_overlaps():
    with Namespace("diamond") as ns:
        ns.inline("diamond", DIAMOND)
        check_diamond(ns, ns.succeeded("diamond"))


def test_a_chain_of_stages_lays_down_every_layer():
    with Namespace("chain") as ns:
        ns.inline("chain", f"""FROM {BUSYBOX} AS a
RUN echo a > /a
FROM a AS b
RUN cat /a > /b; rm /a
FROM b AS c
RUN ls /b && ! ls /a && echo c > /c
FROM c
COPY --from=a /a /from-a
RUN cat /b /c > /d
""")
        ns.succeeded("chain")
        image = Image(f"{harness.PUSH_REGISTRY}/{ns.name}/chain:1")
        tree = image.tree()
        assert tree["d"][1] == b"a\nc\n" and tree["from-a"][1] == b"a\n" and "a" not in tree, sorted(tree)[:20]


def test_diamond_on_two_nodes():
    import json
    nodes = [n for n in json.loads(harness.kubectl("get", "nodes", "-o", "json").stdout)["items"]
             if any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"]["conditions"])]
    if len(nodes) < 2:
        raise harness.Skip("needs two ready nodes: scripts/cluster.sh up --nodes 2")
    with Namespace("spread") as ns:
        # Each middle stage asks for more than half of a node, so no node takes both.
        kibibytes = int(nodes[0]["status"]["allocatable"]["memory"].removesuffix("Ki"))
        resources = {"requests": {"memory": f"{kibibytes * 6 // 10}Ki"}}
        ns.inline("diamond", DIAMOND, workspace={"accessMode": "ReadWriteMany", "size": "1Gi"},
                  execution={"stages": [{"stage": "left", "resources": resources}, {"stage": "right", "resources": resources}]})
        stages = check_diamond(ns, ns.succeeded("diamond"))
        assert stages["left"]["node"] != stages["right"]["node"], stages


def test_add_of_urls_and_git_repositories():
    with GitServer() as server, Namespace("add") as ns:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            member = tarfile.TarInfo("inside")
            member.size = 3
            tar.addfile(member, io.BytesIO(b"in\n"))
        plain = server.file("plain.bin", b"plain\n")
        packed = server.file("packed.tar.gz", archive.getvalue())
        digest = "sha256:" + hashlib.sha256(b"plain\n").hexdigest()
        repository, commit = server.repository("shop", {"top": "t\n", "svc/run.sh": "#!/bin/sh\n"})
        ns.inline("add", f"""FROM {BUSYBOX}
ADD {plain} /plain/
ADD --checksum={digest} --chown=7:8 --chmod=751 {plain} /named
ADD {packed} /packed/
ADD --unpack {packed} /unpacked/
ADD {server.url}/to/{plain} /redirected
ADD {repository}#v1:svc /svc
ADD --keep-git-dir {repository}#{commit} /whole
RUN cat /plain/plain.bin > /seen
""")
        ns.succeeded("add")
        tree = Image(f"{harness.PUSH_REGISTRY}/{ns.name}/add:1").tree()
        info, data = tree["plain/plain.bin"]
        assert data == b"plain\n" and info.mode & 0o7777 == 0o600 and (info.uid, info.gid) == (0, 0), vars(info)
        assert info.mtime == 1577923200, info.mtime
        info, data = tree["named"]
        assert data == b"plain\n" and info.mode & 0o7777 == 0o751 and (info.uid, info.gid) == (7, 8), info
        assert tree["packed/packed.tar.gz"][1] == archive.getvalue()
        assert tree["unpacked/inside"][1] == b"in\n" and tree["redirected"][1] == b"plain\n"
        assert tree["svc/run.sh"][1] == b"#!/bin/sh\n" and "svc/.git" not in tree
        assert tree["whole/top"][1] == b"t\n" and "whole/.git/HEAD" in tree
        assert tree["seen"][1] == b"plain\n"


def test_git_branch_tag_commit_and_password():
    with GitServer("reader", "s3cret") as server, Namespace("git") as ns:
        url, commit = server.repository("shop", {"svc/Dockerfile": f"FROM {BUSYBOX}\nCOPY data /data\n", "svc/data": "v1\n"})
        ns.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ro"}, "type": "kubernetes.io/basic-auth",
                  "stringData": {"username": "reader", "password": "s3cret"}})
        for name, ref in (("head", None), ("branch", {"branch": "main"}), ("commit", {"commit": commit})):
            source = {"url": url, "secretRef": {"name": "ro"}, **({"ref": ref} if ref else {})}
            ns.build(name, source={"git": source}, contextDir="svc")
        for name in ("head", "branch", "commit"):
            status = ns.succeeded(name)
            assert status["run"]["sourceRevision"] == commit, status["run"]
            assert Image(f"{harness.PUSH_REGISTRY}/{ns.name}/{name}:1").read("/data") == b"v1\n"


def test_several_tags_and_labels():
    with Namespace("tags") as ns:
        repository = f"{harness.PUSH_REGISTRY}/{ns.name}/app"
        ns.inline("app", f"FROM {BUSYBOX}\nRUN echo x > /x\n",
                  output={"repository": repository, "tags": ["1.0", "latest"], "secretRef": {"name": "push"},
                          "labels": [{"name": "org.opencontainers.image.source", "value": "https://git.example/app"}]})
        status = ns.succeeded("app")
        for tag in ("1.0", "latest"):
            image = Image(f"{repository}:{tag}")
            assert image.digest == status["image"]["digest"]
        assert image.config["config"]["Labels"]["org.opencontainers.image.source"] == "https://git.example/app"


def _local_deb():
    """A .deb made here: files of several owners and modes, a conffile and a postinst that adds a user."""
    import pathlib
    import shutil
    import subprocess
    import tempfile
    if not shutil.which("dpkg-deb"):
        raise harness.Skip("needs dpkg-deb")
    root = pathlib.Path(tempfile.mkdtemp())
    for path, mode, text in (("usr/bin/tool", 0o4755, "#!/bin/sh\necho tool\n"), ("etc/tool/tool.conf", 0o640, "k=v\n"),
                             ("usr/share/doc/tool/copyright", 0o644, "free\n"), ("var/lib/tool/data", 0o600, "d\n")):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text("Package: tool\nVersion: 1.0\nArchitecture: all\nMaintainer: t <t@example.test>\n"
                                         "Description: a tool\n")
    (root / "DEBIAN/postinst").write_text("#!/bin/sh\nset -e\nuseradd -r -m tooluser\nchown tooluser:daemon /var/lib/tool/data\n")
    (root / "DEBIAN/postinst").chmod(0o755)
    out = root.parent / (root.name + ".deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(root), str(out)], check=True, capture_output=True)
    data = out.read_bytes()
    out.unlink()
    shutil.rmtree(root)
    return data


# Prints one line per path as the container sees it; what the image's tree must say too.
LISTING = r"""find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /.stagewright \) -prune -o \
 -printf '%y %m %U %G %p %l\n' | sort > /tmp/listing; cat /tmp/listing | sed 's/^/LIST /'"""


def test_debian_tree_equals_what_the_container_saw():
    with Namespace("debian") as ns:
        ns.with_context("deb", {"tool.deb": _local_deb(), "Dockerfile": f"""FROM {DEBIAN}
COPY tool.deb /tmp/
RUN dpkg -i /tmp/tool.deb && rm /tmp/tool.deb
RUN useradd -m -u 1234 worker && install -o worker -g 1234 -m 2750 -d /srv/work \\
 && cp /bin/true /usr/bin/cap && setcap cap_net_bind_service+ep /usr/bin/cap \\
 && chmod 6755 /usr/bin/cap.copy 2>/dev/null || true
RUN echo one > /srv/one && ln /srv/one /srv/two && ln -s one /srv/sym && chmod 4711 /srv/one
RUN rm -rf /usr/share/doc/tool /usr/share/man && rm -rf /usr/share/common-licenses && mkdir /usr/share/common-licenses \\
 && echo new > /usr/share/common-licenses/NEW
RUN {LISTING}
"""}, retention={"pods": "Always"})
        ns.succeeded("deb")
        seen = set()
        for line in ns.logs("deb", "0").splitlines():
            if line.startswith("LIST "):
                kind, mode, uid, gid, path, link = (line[5:].split(" ", 5) + [""])[:6]
                seen.add((kind, mode, uid, gid, path, link.strip() if kind == "l" else ""))
        image = Image(f"{harness.PUSH_REGISTRY}/{ns.name}/deb:1")
        tree = image.tree()
        letter = {b"0": "f", b"1": "f", b"2": "l", b"3": "c", b"4": "b", b"5": "d", b"6": "p"}
        have = set()
        for path, (info, _) in tree.items():
            kind = letter[info.type]
            mode = "777" if kind == "l" else format(info.mode & 0o7777, "o")
            have.add((kind, mode, str(info.uid), str(info.gid), "/" + path, info.linkname if kind == "l" else ""))
        ignored = {"/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/.", "/tmp/listing"}
        skip = lambda p: p in ignored or p.split("/")[1] in ("proc", "sys", "dev", ".stagewright")
        missing = sorted(e for e in seen - have if not skip(e[4]))
        extra = sorted(e for e in have - seen if not skip(e[4]))
        assert not missing and not extra, f"missing {missing[:10]} extra {extra[:10]}"
        assert len(seen) > 3000, len(seen)
        caps = tree["usr/bin/cap"][0].pax_headers
        assert any(k == "SCHILY.xattr.security.capability" for k in caps), caps
        one, two = tree["srv/one"][0], tree["srv/two"][0]
        assert one.islnk() or two.islnk(), "the hard link is lost"
        assert "usr/share/common-licenses/GPL-3" not in tree and "usr/share/common-licenses/NEW" in tree


def test_user_namespace_and_baseline():
    import json
    nodes = json.loads(harness.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    supported = all(any(h.get("features", {}).get("userNamespaces") for h in n["status"].get("runtimeHandlers", []))
                    for n in nodes)
    if not supported:
        raise harness.Skip("the nodes report no user namespace support")
    dockerfile = f"FROM {BUSYBOX}\nRUN cat /proc/self/uid_map > /map; id -u > /uid\n"
    with Namespace("userns") as ns:
        ns.inline("mapped", dockerfile)
        ns.inline("plain", dockerfile, execution={"isolation": "Baseline"})
        for name, isolation in (("mapped", "UserNamespace"), ("plain", "Baseline")):
            status = ns.succeeded(name)
            assert status["run"]["isolation"] == isolation, status["run"]
            image = Image(f"{harness.PUSH_REGISTRY}/{ns.name}/{name}:1")
            identity = image.read("/map").split() == [b"0", b"0", b"4294967295"]
            assert identity == (isolation == "Baseline"), image.read("/map")
            assert image.read("/uid") == b"0\n"


def test_create_to_ready_breakdown():
    """Not a limit on time (machines differ): proves that the figures exist and are consistent."""
    with Namespace("times") as ns:
        ns.inline("quick", f"FROM {BUSYBOX} AS a\nRUN echo 1 > /a\nFROM scratch\nCOPY --from=a /a /\n")
        status = ns.succeeded("quick")
        run = status["run"]
        assert seconds_between(run["startTime"], run["completionTime"]) == run["durationSeconds"], run
        assert condition(status, "Finished")["reason"] == "Succeeded"
        assert status["progress"] == "2/2", status


def test_output_options():
    with GitServer() as server, Namespace("output") as ns:
        url, _ = server.repository("shop", {"Dockerfile": f"""FROM {BUSYBOX}
COPY data /data
RUN date > /now && cp /data /copy
""", "data": "v1\n"})
        where = lambda name: {"image": f"{harness.PUSH_REGISTRY}/{ns.name}/{name}:1", "secretRef": {"name": "push"}}
        ns.build("zstd", source={"git": {"url": url}}, output={
            **where("zstd"), "compression": "zstd", "annotations": [{"name": "org.example.a", "value": "b"}]})
        ns.build("docker", source={"git": {"url": url}}, output={**where("docker"), "format": "Docker"})
        fixed = "FROM scratch\nARG SOURCE_DATE_EPOCH\nENV AT=$SOURCE_DATE_EPOCH\nCOPY <<EOF /f\nx\nEOF\n"
        times = {"fixed": {"policy": "Fixed", "time": "2020-01-02T03:04:05Z"}, "zero": {"policy": "Zero"}}
        for name, timestamp in times.items():
            for copy in ("a", "b"):
                ns.inline(f"{name}-{copy}", fixed, output={**where(f"{name}-{copy}"), "timestamp": timestamp})
        for copy in ("a", "b"):
            ns.build(f"source-{copy}", source={"git": {"url": url}}, dockerfileInline=fixed + "COPY data /d\n",
                     output={**where(f"source-{copy}"), "timestamp": {"policy": "Source"}})
        get = lambda name: (ns.succeeded(name, timeout=300), Image(f"{harness.PUSH_REGISTRY}/{ns.name}/{name}:1"))[1]
        zstd = get("zstd")
        kinds = [layer["mediaType"].rpartition("+")[2] for layer in zstd.manifest["layers"]]
        assert kinds[-2:] == ["zstd", "zstd"] and zstd.manifest["annotations"] == {"org.example.a": "b"}, zstd.manifest
        assert ns.run_pod("run", f"{harness.PUSH_REGISTRY}/{ns.name}/zstd@{zstd.digest}", ["cat", "/copy"]) == "v1\n"
        docker = get("docker")
        assert docker.manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
        assert all("docker" in layer["mediaType"] for layer in docker.manifest["layers"]), docker.manifest
        for name, created, epoch in (("fixed", "2020-01-02T03:04:05Z", "1577934245"), ("zero", "1970-01-01T00:00:00Z", "0")):
            first, second = get(f"{name}-a"), get(f"{name}-b")
            assert first.digest == second.digest and first.config["created"] == created, (first.config, second.config)
            assert f"AT={epoch}" in first.config["config"]["Env"]
        assert get("source-a").digest == get("source-b").digest
        assert get("source-a").config["created"] != "1970-01-01T00:00:00Z"
        message = ns.refused(harness.image_build("both", ns.name, dockerfileInline=fixed, output={
            **where("both"), "format": "Docker", "compression": "zstd"}))
        assert "zstd" in message, message


def test_build_contexts_replace_images_and_stages():
    with Namespace("contexts") as ns:
        ns.inline("named", """FROM none.example/no/such:1 AS base
RUN echo built > /b
FROM scratch
COPY --from=assets /bin/busybox /busybox
COPY --from=base /b /b
""", buildContexts=[{"name": "none.example/no/such:1", "image": BUSYBOX}, {"name": "assets", "image": BUSYBOX}])
        ns.succeeded("named")
        tree = Image(f"{harness.PUSH_REGISTRY}/{ns.name}/named:1").tree()
        assert tree["b"][1] == b"built\n" and "busybox" in tree, sorted(tree)
