"""Configuration, history, arguments, stages, ADD, ONBUILD: one instruction and what the image says of it."""


def case(body, base="busybox", **more):
    return {"dockerfile": "FROM %s\n%s\n" % (base, body), "files": more.pop("files", {"f": "file"}), "base": base, **more}


CASES = {}
for name, body in {
        "env_one": "ENV A=1", "env_several": "ENV A=1 B=2 C='3 4'", "env_legacy": "ENV A b c", "env_override": "ENV A=1\nENV A=2", "env_expand": "ENV A=1\nENV B=$A-${A}x C=$B", "env_quotes": 'ENV A="x y" B=x\\ y C=\'$A\'', "env_empty": "ENV A=", "env_path": "ENV PATH=/x:$PATH",
        "env_modifiers": "ENV A=abc\nENV B=${A:-x} C=${N:-def} D=${A:+set} E=${N:+set} F=${N-dash} G=${A#a} H=${A%c} I=${A/b/X}", "env_error": "ENV A=${N:?needed}",
        "label_one": "LABEL a=1", "label_several": 'LABEL a=1 "b c"="d e" f.g=h', "label_expand": "ENV V=7\nLABEL v=$V", "label_override": "LABEL a=1\nLABEL a=2", "maintainer": "MAINTAINER me <me@x>",
        "cmd_shell": "CMD echo hi", "cmd_exec": 'CMD ["echo", "a b"]', "cmd_empty": "CMD []", "cmd_twice": "CMD one\nCMD two", "cmd_shell_set": 'SHELL ["/bin/x", "-c"]\nCMD echo', "entrypoint_exec": 'ENTRYPOINT ["a"]', "entrypoint_shell": "ENTRYPOINT a b", "entrypoint_then_cmd": 'ENTRYPOINT ["a"]\nCMD ["b"]',
        "cmd_then_entrypoint": 'CMD ["b"]\nENTRYPOINT ["a"]', "entrypoint_empty": "ENTRYPOINT []", "expose": "EXPOSE 80 443/tcp 53/udp", "expose_range": "EXPOSE 8000-8003", "expose_variable": "ARG P=99\nEXPOSE $P/tcp", "expose_bad": "EXPOSE abc", "expose_upper": "EXPOSE 80/TCP",
        "volume": "VOLUME /a /b", "user": "USER me:us", "user_expand": "ARG U=u\nUSER $U", "stopsignal": "STOPSIGNAL SIGTERM", "stopsignal_number": "STOPSIGNAL 9", "stopsignal_bad": "STOPSIGNAL NOPE", "shell": 'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]', "shell_not_json": "SHELL /bin/sh",
        "healthcheck": "HEALTHCHECK --interval=5m --timeout=3s --start-period=1s --start-interval=2s --retries=4 CMD curl x", "healthcheck_exec": 'HEALTHCHECK CMD ["a", "b"]', "healthcheck_none": "HEALTHCHECK NONE", "healthcheck_bad": "HEALTHCHECK --interval=x CMD a", "onbuild": "ONBUILD RUN echo x\nONBUILD COPY . /x", "onbuild_from": "ONBUILD FROM x",
        "arg_history": "ARG A=1\nARG B\nARG A\nRUN true", "arg_run_history": "ARG A=1\nENV A=2\nRUN true", "arg_several": "ARG A=1 B C=3\nRUN true", "arg_unset_in_run": "RUN echo $NOPE > /o", "comment_only_lines": "# one\nRUN true # two\n# three", "continuation": "RUN echo a \\\n # comment\n && echo b > /o",
        "empty_continuation": "RUN echo a > /o && \\\n\n true", "lower_case": "run true", "unknown_instruction": "NOPE x", "unknown_flag": "RUN --nope true", "escape_tab": "RUN\techo x > /o", "workdir_history": "WORKDIR /a\nWORKDIR b", "copy_history": "COPY --chown=1:2 --chmod=644 f /g", "add_history": "ADD f /g", "run_exec_history": 'RUN ["true", "a b"]'}.items():
    CASES[name] = case(body)

CASES["arg_given"] = case("ARG A=1\nENV E=$A\nRUN true", args={"A": "2"})
CASES["arg_unknown_given"] = case("RUN true", args={"NOPE": "2"})
CASES["arg_proxy"] = case("RUN echo $HTTP_PROXY > /o", args={"HTTP_PROXY": "http://p"})
CASES["arg_platform"] = case("ARG TARGETPLATFORM\nARG TARGETARCH\nARG BUILDOS\nRUN echo $TARGETPLATFORM $TARGETARCH $BUILDOS > /o")
CASES["arg_target_stage"] = case("ARG TARGETSTAGE\nRUN echo $TARGETSTAGE > /o")
CASES["epoch"] = case("RUN echo x > /o\nLABEL a=b", args={"SOURCE_DATE_EPOCH": "1000000000"})

# global scope, stages, targets
for name, text in {
        "global_arg": "ARG V=busybox\nFROM $V\nRUN true\n", "global_arg_not_inside": "ARG V=1\nFROM busybox\nRUN echo \"[$V]\" > /o\n", "global_arg_declared": "ARG V=1\nFROM busybox\nARG V\nRUN echo \"[$V]\" > /o\n", "global_default_overridden": "ARG V=1\nFROM busybox\nARG V=2\nRUN echo \"[$V]\" > /o\n",
        "global_uses_global": "ARG A=busy\nARG B=${A}box\nFROM $B\nRUN true\n", "blank_base": "FROM $NOPE\nRUN true\n", "stage_case": "FROM busybox AS One\nRUN touch /1\nFROM one\nRUN touch /2\n", "stage_name_upper_base": "FROM busybox AS base\nFROM Base\nRUN true\n", "unused_stage_fails": "FROM busybox AS bad\nRUN false\nFROM busybox\nRUN true\n",
        "inherit_config": "FROM busybox AS a\nENV A=1\nLABEL l=1\nWORKDIR /w\nUSER nobody\nCMD [\"x\"]\nFROM a\nENTRYPOINT [\"e\"]\n", "inherit_history": "FROM busybox AS a\nRUN touch /1\nFROM a AS b\nRUN touch /2\nFROM b\nRUN touch /3\n", "siblings": "FROM busybox AS a\nLABEL x=1\nFROM a AS b\nLABEL y=2\nFROM a\nLABEL z=3\n",
        "duplicate_stage": "FROM busybox AS a\nRUN touch /1\nFROM busybox AS a\nRUN touch /2\nFROM busybox\nCOPY --from=a /2 /x\n", "number_from": "FROM busybox\nRUN touch /1\nFROM busybox\nCOPY --from=0 /1 /x\n", "args_of_stage": "FROM busybox AS a\nARG X=1\nFROM a\nRUN echo \"[$X]\" > /o\n", "onbuild_same_file": "FROM busybox AS a\nONBUILD RUN touch /triggered\nFROM a\nRUN touch /after\n",
        "onbuild_grandchild": "FROM busybox AS a\nONBUILD RUN touch /t\nFROM a AS b\nFROM b\nRUN true\n", "no_instructions": "# nothing\n", "no_stage": "ARG X=1\n", "run_before_from": "RUN true\nFROM busybox\n", "bad_stage_name": "FROM busybox AS 1a\n", "reserved_name": "FROM busybox AS scratch\nRUN true\n", "three_words": "FROM busybox AS\n", "platform": "FROM --platform=linux/amd64 busybox\nRUN true\n",
        "platform_variable": "FROM --platform=$TARGETPLATFORM busybox\nRUN true\n", "escape_directive": "# escape=`\nFROM busybox\nRUN echo a `\n && touch /o\n", "unknown_directive": "# foo=bar\nFROM busybox\nRUN touch /o\n", "crlf": "FROM busybox\r\nRUN touch /o\r\n", "bom": "\ufeffFROM busybox\nRUN touch /o\n"}.items():
    CASES[name] = {"dockerfile": text, "files": {}, "base": "busybox"}
for target in ("a", "A", "b", "0", "nope"):
    CASES["target_" + target] = {"dockerfile": "FROM busybox AS a\nRUN touch /a\nFROM a AS b\nRUN touch /b\nFROM b\nRUN false\n", "files": {}, "base": "busybox", "target": target}

# ADD
def tar_file(compress=""):
    import io
    import tarfile
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + compress) as tar:
        for name, kind, content in (("./", "5", b""), ("./dir", "5", b""), ("./dir/f", "0", b"file"), ("./l", "2", b""), ("./h", "1", b"")):
            member = tarfile.TarInfo(name)
            member.type = kind.encode()
            member.size = len(content)
            member.mode = 0o711 if kind == "5" else 0o640
            member.uid, member.gid, member.mtime = 11, 12, 900_000_000
            member.linkname = {"./l": "dir/f", "./h": "./dir/f"}.get(name, "")
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


ARCHIVES = {"plain.tar": {"bytes": tar_file()}, "odd.name": {"bytes": tar_file("gz")}, "b.tar.bz2": {"bytes": tar_file("bz2")}, "x.tar.xz": {"bytes": tar_file("xz")}, "not.tar": "text", "empty.tar": "",
            "cut.tar": {"bytes": tar_file()[:700]}, "link.tar": {"link": "plain.tar"}, "d.tar/f": "x", "only.gz": {"bytes": __import__("gzip").compress(b"no archive", mtime=0)}}
for name, body in {"plain": "ADD plain.tar /d/", "gzip_odd_name": "ADD odd.name /d/", "bzip2": "ADD b.tar.bz2 /d/", "xz": "ADD x.tar.xz /d/", "not_an_archive": "ADD not.tar /d/", "empty": "ADD empty.tar /d/", "through_link": "ADD link.tar /d/", "directory": "ADD d.tar /d/", "gzip_no_tar": "ADD only.gz /d/", "no_slash": "ADD plain.tar /d",
                   "chown": "ADD --chown=1:2 plain.tar /d/", "chmod": "ADD --chmod=777 plain.tar /d/", "existing": "RUN mkdir -m 700 /d && chown 3:3 /d\nADD plain.tar /d/", "unpack_false": "ADD --unpack=false plain.tar /d/", "copy_never": "COPY plain.tar /d/", "root": "ADD plain.tar /", "wildcard": "ADD *.tar /d/", "over_file": "RUN mkdir -p /d/dir && echo old > /d/dir/f\nADD plain.tar /d/",
                   "over_link": "RUN mkdir /d /real && ln -s /real /d/dir\nADD plain.tar /d/", "two": "ADD plain.tar not.tar /d/", "file": "ADD not.tar /x", "workdir": "WORKDIR /w\nADD plain.tar ."}.items():
    CASES["add_" + name] = {"dockerfile": "FROM busybox\n%s\n" % body, "files": ARCHIVES, "base": "busybox"}
