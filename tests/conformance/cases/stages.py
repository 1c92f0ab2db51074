"""Sections 7, 8 and 10 of the language: arguments, targets, named contexts, ignore files, build checks."""
import re


def case(text, **more):
    text = text if re.search("^FROM ", text, re.M | re.I) else "FROM busybox\n" + text
    return {"dockerfile": text + "\n", "files": more.pop("files", {"f": "file"}), "base": more.pop("base", "busybox"), **more}


CASES = {}

# 7.1 to 7.3 arguments
PLATFORM = ("BUILDPLATFORM", "BUILDOS", "BUILDOSVERSION", "BUILDARCH", "BUILDVARIANT", "TARGETPLATFORM", "TARGETOS", "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT", "TARGETSTAGE")
CASES["arg_platform_all"] = case("ARG " + " ".join(PLATFORM) + "\nRUN env | grep -E '^(BUILD|TARGET)' | sort > /o")
CASES["arg_platform_undeclared"] = case("RUN env | grep -E '^(BUILD|TARGET)' | sort > /o; true")
CASES["arg_platform_in_from"] = case("FROM --platform=$BUILDPLATFORM busybox\nARG TARGETOS TARGETARCH\nENV A=$TARGETOS-$TARGETARCH")
CASES["arg_platform_overridden"] = case("ARG TARGETARCH\nRUN echo $TARGETARCH > /o", args={"TARGETARCH": "mine"})
CASES["arg_platform_default"] = case("ARG TARGETARCH=other\nRUN echo $TARGETARCH > /o")
CASES["arg_platform_given"] = case("FROM scratch\nARG TARGETPLATFORM TARGETVARIANT\nENV P=$TARGETPLATFORM V=$TARGETVARIANT\nCOPY f /f", base="scratch", platform="linux/arm/v7")
CASES["arg_platform_arm64"] = case("FROM scratch\nARG TARGETPLATFORM TARGETVARIANT\nENV P=$TARGETPLATFORM V=$TARGETVARIANT\nCOPY f /f", base="scratch", platform="linux/arm64")
CASES["arg_platform_build_differs"] = case("FROM --platform=$BUILDPLATFORM busybox AS b\nARG TARGETARCH\nRUN echo $TARGETARCH > /o\nFROM scratch\nCOPY --from=b /o /o", base="scratch", platform="linux/arm64")
CASES["arg_target_stage_named"] = case("FROM busybox AS one\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE > /o", target="ONE")
CASES["arg_target_stage_last_named"] = case("FROM busybox AS one\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE > /o")
CASES["arg_target_stage_other"] = case("FROM busybox AS one\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE > /o\nFROM one AS two\nRUN true", target="two")
for proxy in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
    CASES["arg_proxy_" + ("lower_" if proxy[0] == "h" or proxy.islower() else "upper_") + proxy.lower()] = case("RUN env | grep -i proxy | sort > /o", args={proxy: "http://p:1"})
CASES["arg_proxy_declared"] = case("ARG HTTP_PROXY\nRUN echo $HTTP_PROXY > /o\nENV X=$HTTP_PROXY", args={"HTTP_PROXY": "http://p:1"})
CASES["arg_proxy_not_in_env"] = case("ENV X=[$HTTP_PROXY]", args={"HTTP_PROXY": "http://p:1"})
CASES["arg_hostname"] = case("RUN hostname > /o", args={"BUILDKIT_SANDBOX_HOSTNAME": "myhost"})
CASES["arg_cache_namespace"] = case("RUN --mount=type=cache,id=acn,target=/c touch /c/x; ls /c > /o", args={"BUILDKIT_CACHE_MOUNT_NS": "ns1"})
CASES["arg_syntax"] = case("FROM scratch\nCOPY f /f", base="scratch", args={"BUILDKIT_MULTI_PLATFORM": "0"})
CASES["arg_epoch_empty"] = case("ARG SOURCE_DATE_EPOCH\nRUN echo [$SOURCE_DATE_EPOCH] > /o", args={"SOURCE_DATE_EPOCH": ""})
CASES["arg_epoch_bad"] = case("RUN true", args={"SOURCE_DATE_EPOCH": "yesterday"})
CASES["arg_epoch_number"] = case("ARG SOURCE_DATE_EPOCH\nRUN echo [$SOURCE_DATE_EPOCH] > /o\nWORKDIR /w\nCOPY f /f", args={"SOURCE_DATE_EPOCH": "1234567890"})
CASES["arg_epoch_global"] = case("ARG SOURCE_DATE_EPOCH=1234567890\nFROM busybox\nRUN echo [$SOURCE_DATE_EPOCH] > /o")
for name, text in {
        "global_unused": "ARG G=1\nFROM busybox\nENV A=[$G]", "global_redeclared_with_default": "ARG G=1\nFROM busybox\nARG G=2\nENV A=$G", "global_no_value": "ARG G\nFROM busybox\nARG G\nENV A=[$G]\nRUN true", "global_two_stages": "ARG G=1\nFROM busybox AS a\nARG G\nRUN echo $G > /o\nFROM busybox\nENV A=[$G]", "global_error": "ARG G=${X:?need}\nFROM busybox\nENV A=1", "global_platform": "ARG G=$TARGETARCH\nFROM busybox\nARG G\nENV A=$G", "global_quotes": "ARG G='a b'\nFROM busybox\nARG G\nENV A=$G", "global_several": "ARG G=1 H=2 I\nFROM busybox\nARG I H G\nRUN true", "global_onbuild": "ARG G=1\nFROM busybox AS a\nONBUILD ARG G\nONBUILD ENV A=$G\nFROM a\nENV B=$G",
        "global_in_copy_from": "ARG G=a\nFROM busybox AS a\nRUN touch /x\nFROM $G AS b\nFROM busybox\nCOPY --from=b /x /y", "arg_in_child_history": "FROM busybox AS a\nARG A=1\nRUN true\nFROM a\nARG B=2\nRUN true\nENV A=3\nRUN true", "arg_shadowed_history": "ARG G=1\nFROM busybox\nARG A=1\nENV A=2\nRUN true\nARG A=3\nRUN true", "arg_same_twice": "ARG G=1\nFROM busybox\nARG A=1\nARG B=2\nARG A=3\nRUN echo $A$B > /o"}.items():
    CASES[name] = case(text)

# 7.4 targets
STAGES = "FROM busybox AS one\nRUN touch /1\nFROM busybox AS Two\nRUN touch /2\nFROM one\nRUN touch /3"
for target in ("one", "ONE", "two", "Two", "1", "2", "3", "-1", "on", "tow", "scratch", "busybox", "one ", ""):
    CASES["target_" + (target.strip() + "_blank" if target.endswith(" ") else target or "empty").replace("-", "minus")] = case(STAGES, target=target)
CASES["target_duplicate"] = case("FROM busybox AS a\nRUN touch /1\nFROM busybox AS a\nRUN touch /2\nFROM busybox\nRUN touch /3", target="a")
CASES["target_numeric_among"] = case("FROM busybox\nRUN touch /0\nFROM busybox\nRUN false", target="0")

# 7.5 named contexts
for name, (text, contexts) in {
        "directory": ("COPY --from=ctx . /d/", {"ctx": {"a": "1", "b/c": "2"}}), "directory_file": ("COPY --from=ctx a /d/", {"ctx": {"a": "1"}}), "directory_any_case": ("COPY --from=CTX a /d/", {"ctx": {"a": "1"}}), "directory_mount": ("RUN --mount=from=ctx,target=/m cat /m/a > /o", {"ctx": {"a": "1"}}), "directory_mount_rw": ("RUN --mount=from=ctx,target=/m,rw echo 2 > /m/a && cat /m/a > /o", {"ctx": {"a": "1"}}), "directory_ignore": ("COPY --from=ctx . /d/", {"ctx": {"a": "1", "b": "2", ".dockerignore": "b\n"}}), "directory_as_base": ("FROM ctx\nENV A=1", {"ctx": {"a": "1"}}),
        "replaces_stage": ("FROM busybox AS st\nRUN touch /real\nFROM busybox\nCOPY --from=st / /d/", {"st": {"fake": "1"}}), "replaces_stage_image": ("FROM busybox AS st\nRUN touch /real && false\nFROM st\nENV A=1", {"st": "docker-image://@REGISTRY@/busybox:latest"}), "replaces_image": ("FROM alpine\nENV A=1", {"alpine": "docker-image://@REGISTRY@/busybox:latest"}), "replaces_image_tagged": ("FROM alpine:latest\nENV A=1", {"alpine": "docker-image://@REGISTRY@/busybox:latest"}), "replaces_image_full": ("FROM docker.io/library/alpine\nENV A=1", {"alpine": "docker-image://@REGISTRY@/busybox:latest"}), "full_name_given": ("FROM alpine\nENV A=1", {"docker.io/library/alpine:latest": "docker-image://@REGISTRY@/busybox:latest"}),
        "copy_from_image": ("COPY --from=tool /etc/passwd /p", {"tool": "docker-image://@REGISTRY@/busybox:latest"}), "scratch_image": ("FROM nothing\nCOPY f /f", {"nothing": "docker-image://scratch"}), "per_platform": ("FROM pp\nENV A=1", {"pp::linux/amd64": "docker-image://@REGISTRY@/busybox:latest", "pp": "docker-image://@REGISTRY@/none:1"}), "numeric_mount": ("RUN --mount=from=0,target=/m cat /m/a > /o", {"0": {"a": "1"}}), "exclude": ("COPY --from=ctx --exclude=b . /d/", {"ctx": {"a": "1", "b": "2"}}), "parents": ("COPY --from=ctx --parents b/c /d/", {"ctx": {"a": "1", "b/c": "2"}}), "link": ("COPY --from=ctx l /d/", {"ctx": {"a": "1", "l": {"link": "a"}}}), "missing": ("COPY --from=ctx nope /d/", {"ctx": {"a": "1"}}),
        "cache_mount": ("RUN --mount=type=cache,id=named-cm,from=ctx,target=/m cat /m/a > /o", {"ctx": {"a": "1"}}), "unused": ("ENV A=1", {"ctx": {"a": "1"}}), "scratch_not_replaced": ("FROM scratch\nCOPY f /f", {"scratch": "docker-image://@REGISTRY@/busybox:latest"}), "stage_after_name": ("FROM busybox AS one\nRUN touch /x\nFROM busybox\nCOPY --from=one /x /x", {"two": {"a": "1"}})}.items():
    CASES["context_" + name] = case(text, contexts=contexts, base="scratch" if "nothing" in text or "FROM scratch" in text or "FROM ctx" in text else "busybox")

# 8 .dockerignore
TREE = {"a.txt": "a", "b.md": "b", "dir/one": "1", "dir/two.md": "2", "dir/sub/deep": "d", "dir/sub/x.md": "x", "other/one": "o", ".git/config": "g", ".env": "e", "node_modules/m/i.js": "j", "pkg/node_modules/k.js": "k", "link": {"link": "dir"}, "sp ace": "s", "br[1]": "br", "Käse": "k", "dir.d/f": "f", "h1": "h", "h2": {"hardlink": "h1"}, "#hash": "x", "!bang": "y"}
for name, lines in {
        "double_star_dir": "**/node_modules", "double_star_end": "dir/**", "double_star_middle": "dir/**/x.md", "double_star_alone": "**", "double_star_glued": "d**", "star_extension": "*.md", "deep_extension": "**/*.md", "exception_in_dir": "dir\n!dir/sub/deep", "exception_of_exception": "*\n!dir\ndir/sub\n!dir/sub/x.md", "exception_first": "!dir/one\ndir", "exception_all_md": "*\n!**/*.md", "exception_dir": "*\n!dir", "exception_dir_slash": "*\n!dir/", "exception_dir_star": "*\n!dir/*", "only_exceptions": "!a.txt", "lone_bang": "!", "bang_blank": "! a.txt", "bang_slash": "*\n!/a.txt", "double_bang": "!!a.txt", "slash_only": "/", "dot": ".", "dot_slash": "./a.txt", "dotdot": "../a.txt", "dotdot_inside": "dir/../a.txt",
        "trailing_blanks": "a.txt   \t", "leading_blanks": "   a.txt", "comment": "# a.txt\n#a.txt\n #b.md", "escaped_hash": "\\#hash", "escaped_bang": "\\!bang", "crlf": "a.txt\r\nb.md\r", "bom": "\ufeffa.txt", "class": "[ab].*", "class_range": "[a-z].txt", "class_negated": "[^a].md", "bad_class": "[", "bad_range": "[z-a]", "escaped_bracket": "br\\[1\\]", "question": "?.txt", "blank_in_name": "sp ace", "unicode": "K?se", "case": "A.TXT", "link": "link", "through_link": "link/one", "parent_of_all": "dir/", "slash_twice": "dir//one", "git": ".git\n.env*", "hard_link_peer": "h1", "empty": "", "missing_name": "nope/nothing", "dir_prefix": "dir", "star_slash": "*/one", "star_slash_star": "*/*", "double_star_one": "**/one",
        "question_slash": "dir?one", "backslash_end": "a.txt\\", "star_dot": ".*", "dot_star_exception": ".*\n!.env", "exception_hidden": "**\n!.git/config", "nested_deep_exception": "**\n!dir/sub/**", "long": "\n".join("x%d" % i for i in range(500)) + "\na.txt", "many_stars": "*/*/*", "tab": "\ta.txt\t"}.items():
    CASES["ignore_" + name] = case("COPY . /d/", files={**TREE, ".dockerignore": {"bytes": (lines + "\n").encode()}})
CASES["ignore_own_file"] = case("COPY . /d/", files={**TREE, ".dockerignore": "a.txt\n"}, own_ignore="b.md\n")
CASES["ignore_own_file_empty"] = case("COPY . /d/", files={**TREE, ".dockerignore": "a.txt\n"}, own_ignore="")
CASES["ignore_own_file_named"] = case("COPY . /d/", files={**TREE, ".dockerignore": "a.txt\n"}, own_ignore="b.md\n", dockerfile_name="My.Dockerfile")
CASES["ignore_wildcard_source"] = case("COPY *.md a* /d/", files={**TREE, ".dockerignore": "b.md\n"})
CASES["ignore_whole_match"] = case("COPY *.md /d/", files={**TREE, ".dockerignore": "*.md\n"})
CASES["ignore_add"] = case("ADD a.txt /d/", files={**TREE, ".dockerignore": "a.txt\n"})
CASES["ignore_not_from_stage"] = case("FROM busybox AS s\nRUN touch /a.txt\nFROM busybox\nCOPY --from=s /a.txt /d/", files={**TREE, ".dockerignore": "a.txt\n"})
CASES["ignore_mount_source"] = case("RUN --mount=source=dir,target=/m find /m | sort > /o", files={**TREE, ".dockerignore": "dir/sub\n"})
CASES["ignore_mount_missing"] = case("RUN --mount=source=a.txt,target=/m true", files={**TREE, ".dockerignore": "a.txt\n"})
CASES["ignore_link_to_ignored"] = case("COPY link/one /d/", files={**TREE, ".dockerignore": "dir\n"})
CASES["ignore_parents"] = case("COPY --parents **/*.md /d/", files={**TREE, ".dockerignore": "dir/sub\n"})
CASES["ignore_exclude_too"] = case("COPY --exclude=*.txt . /d/", files={**TREE, ".dockerignore": "dir\n"})
CASES["ignore_dockerfile"] = case("COPY . /d/", files={"Dockerfile": "x", "a": "1", ".dockerignore": "Dockerfile\n.dockerignore\n"})

# 10 checks: the rule and its line, also where it must be silent
for name, text in {
        "stage_name_casing": "FROM busybox AS One\nENV A=1", "from_as_casing": "FROM busybox as one\nENV A=1", "from_as_casing_lower": "from busybox AS one\nenv A=1", "from_as_mixed": "From busybox as one\nENV A=1", "empty_continuation": "FROM busybox\nENV A=1 \\\n\n B=2", "empty_continuation_comment": "FROM busybox\nENV A=1 \\\n# c\n B=2", "instruction_casing": "FROM busybox\nenv A=1\nENV B=2", "instruction_casing_lower": "from busybox\nenv a=1\nENV B=2", "instruction_casing_mixed": "FROM busybox\nEnv A=1", "instruction_casing_equal": "FROM busybox\nenv A=1", "duplicate_stage": "FROM busybox AS a\nENV A=1\nFROM busybox AS a\nENV A=2",
        "reserved_scratch": "FROM busybox AS scratch\nENV A=1", "reserved_context": "FROM busybox AS context\nENV A=1", "json_cmd": "FROM busybox\nCMD a b", "json_entrypoint": "FROM busybox\nENTRYPOINT a b", "json_shell_set": 'FROM busybox\nSHELL ["/bin/sh", "-c"]\nCMD a', "json_health": "FROM busybox\nHEALTHCHECK CMD a b", "maintainer": "FROM busybox\nMAINTAINER me", "undefined_arg_in_from": "FROM busybox$NOPE\nENV A=1", "undefined_arg_in_from_default": "FROM ${NOPE:-busybox}\nENV A=1", "undefined_arg_suggestion": "ARG GBASE=busybox\nFROM ${GBAES:-busybox}\nENV A=1", "workdir_relative": "FROM busybox\nWORKDIR x", "workdir_relative_second": "FROM busybox\nWORKDIR /a\nWORKDIR x", "workdir_relative_twice": "FROM busybox\nWORKDIR x\nWORKDIR y",
        "workdir_relative_child": "FROM busybox AS a\nWORKDIR /x\nFROM a\nWORKDIR y", "undefined_var": "FROM busybox\nENV A=$NOPE", "undefined_var_default": "FROM busybox\nENV A=${NOPE:-x} B=${NOPE-x} C=${NOPE:+x}", "undefined_var_near": "FROM busybox\nENV FOOBAR=1\nENV A=$FOOBRA", "undefined_var_copy": "FROM busybox\nCOPY $NOPE /d/", "undefined_var_label": "FROM busybox\nLABEL a=$NOPE", "undefined_var_workdir": "FROM busybox\nWORKDIR /$NOPE", "undefined_var_user": "FROM busybox\nUSER u$NOPE", "undefined_var_expose": "FROM busybox\nEXPOSE 8$NOPE", "undefined_var_path": "FROM busybox\nENV P=$PATH", "undefined_var_arg": "FROM busybox\nARG A\nENV B=$A", "undefined_var_home": "FROM busybox\nENV H=$HOME", "undefined_var_run": "FROM busybox\nRUN echo $NOPE",
        "undefined_var_heredoc": "FROM busybox\nCOPY <<EOF /f\n$NOPE\nEOF", "undefined_var_unused_stage": "FROM busybox AS a\nENV A=$NOPE\nFROM busybox\nENV B=1", "undefined_var_platform": "FROM busybox\nENV A=$TARGETARCH", "multiple_cmd": 'FROM busybox\nCMD ["a"]\nCMD ["b"]\nCMD ["c"]', "multiple_entrypoint": 'FROM busybox\nENTRYPOINT ["a"]\nENTRYPOINT ["b"]', "multiple_healthcheck": "FROM busybox\nHEALTHCHECK CMD a\nHEALTHCHECK NONE", "multiple_in_stages": 'FROM busybox AS a\nCMD ["a"]\nFROM a\nCMD ["b"]', "legacy_env": "FROM busybox\nENV A b", "legacy_label": "FROM busybox\nLABEL a b", "redundant_platform": "FROM --platform=$TARGETPLATFORM busybox\nENV A=1", "redundant_platform_braces": "FROM --platform=${TARGETPLATFORM} busybox\nENV A=1", "platform_const": "FROM --platform=linux/amd64 busybox\nENV A=1",
        "platform_const_named": "FROM --platform=linux/amd64 busybox AS build_amd64\nENV A=1", "platform_variable": "ARG GP=linux/amd64\nFROM --platform=$GP busybox\nENV A=1", "secret_env": "FROM busybox\nENV AWS_SECRET_KEY=1 PASSWORD=2 MY_TOKEN_FILE=3 PUBLIC_KEY=4 KEYBOARD=5 api_key=6 GIT_AUTH=7", "secret_arg": "FROM busybox\nARG DB_PASSWORD\nARG TOKEN=1\nARG TOKENS=2\nARG token_version=1", "secret_global_arg": "ARG GTOKEN=1\nARG API_TOKEN=2\nFROM busybox\nENV A=1", "invalid_default": "ARG GV\nFROM busybox$GV\nENV A=1", "invalid_default_empty": "ARG GB\nFROM ${GB}\nENV A=1", "invalid_default_tag": "ARG GT\nFROM busybox:${GT}\nENV A=1", "expose_case": "FROM busybox\nEXPOSE 80/TCP 81/tcp", "expose_ip": "FROM busybox\nEXPOSE 127.0.0.1:80:80 81:81 82",
        "description": "# check=experimental=InvalidDefinitionDescription\n\n# bar this is\nARG foo=1\n# base ok\nFROM busybox AS base\nENV A=1", "description_all": "# check=experimental=all\n\n# something else\nFROM busybox AS base\nENV A=1", "description_off": "# something else\nFROM busybox AS base\nENV A=1", "many": "from busybox as Base\nMAINTAINER x\nENV a b\nCMD x\nCMD y\nWORKDIR z\nEXPOSE 1/UDP", "clean": 'FROM busybox AS base\nWORKDIR /a\nENV A=1\nCMD ["x"]', "error_many": "# check=error=true\nfrom busybox as Base\nCMD x", "skip_one_of_many": "# check=skip=StageNameCasing\nFROM busybox as Base\nCMD x", "in_unused_stage": "FROM busybox AS a\nCMD x\nFROM busybox\nENV A=1", "in_base_stage": "FROM busybox AS a\nCMD x\nFROM a\nENV A=1", "onbuild_cmd": "FROM busybox\nONBUILD CMD x"}.items():
    CASES["check_" + name] = case(text)
for name, (text, ignore) in {"copy_ignored": ("FROM busybox\nCOPY a.txt f* /d/", "a.txt"), "add_ignored": ("FROM busybox\nADD dir/x /d/", "dir"), "copy_ignored_exception": ("FROM busybox\nCOPY f /d/", "a.txt\n!b"), "copy_root_not_all": ("FROM busybox\nCOPY . /d/", "a.txt"), "copy_from_not": ("FROM busybox AS s\nRUN touch /a.txt\nFROM busybox\nCOPY --from=s a.txt /d/", "a.txt")}.items():
    CASES["check_" + name] = case(text, files={"f": "file", "b": "b", ".dockerignore": ignore + "\n"})
CASES["check_undefined_arg_given"] = case("FROM busybox\nARG A\nENV B=$A", args={"A": "1"})
