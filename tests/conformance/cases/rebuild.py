"""The same build again, and again with one thing changed: what runs anew. `rebuilds` lists the changes."""
from cases import complete

CASES = {}
NOTHING = {}


def add(name, text, changes, files=None, **more):
    CASES[name] = {"dockerfile": "FROM busybox\nLABEL case=%s\n" % name + text + "\n" if not text.startswith("FROM") else text + "\n",
                   "files": files or {"a": "a", "b": "b", "d/x": "x", "d/y": "y"}, "base": "busybox", "rebuilds": [NOTHING] + changes, **more}


def files(**changed):
    return {"files": {name.replace("__", "/"): text for name, text in changed.items()}}


COPY = "COPY a /rb-%s/\nRUN cat /rb-%s/a > /o\nCOPY b /x/\nRUN touch /z"
for name, change in {"first_source": files(a="changed"), "second_source": files(b="changed"), "unused_file": files(c="new"), "mode": {"files": {"a": {"text": "a", "mode": 0o755}}}, "same_content": files(a="a")}.items():
    add("copy_" + name, COPY % (name, name), [change])
add("copy_directory", "COPY d /rb-dir/\nRUN ls /rb-dir > /o", [files(d__z="new"), {"remove": ["d/z"]}])
add("copy_directory_renamed", "COPY d /rb-ren/\nRUN ls /rb-ren > /o", [{"remove": ["d/x"], **files(d__w="x")}])
add("copy_wildcard", "COPY d/x* /rb-wild/\nRUN ls /rb-wild > /o", [files(d__y="other"), files(d__x2="new")])
add("copy_ignored", "COPY . /rb-ign/\nRUN ls /rb-ign > /o", [files(d__x="other")], files={"a": "a", "d/x": "x", ".dockerignore": "d\n"})
add("copy_excluded", "COPY --exclude=d . /rb-exc/\nRUN ls /rb-exc > /o", [files(d__x="other"), files(a="other")])
add("copy_link_target", "COPY l /rb-link/\nRUN cat /rb-link/l > /o", [files(t="other")], files={"t": "t", "l": {"link": "t"}})
add("arg_used", "ARG V=1\nRUN echo rb-$V > /o", [{"args": {"V": "2"}}, {"args": {"V": "1"}}])
add("arg_unused_in_text", "ARG V=1\nRUN echo rb-unused > /o", [{"args": {"V": "2"}}])
add("arg_declared_later", "RUN echo rb-later > /o\nARG V=1\nRUN echo rb-later2 > /p", [{"args": {"V": "2"}}])
add("arg_not_declared", "RUN echo rb-undeclared > /o", [{"args": {"V": "2"}}])
add("arg_proxy", "RUN echo rb-proxy > /o", [{"args": {"HTTP_PROXY": "http://p:1"}}])
add("arg_in_copy", "ARG V=a\nCOPY $V /rb-argcopy/\nRUN ls /rb-argcopy > /o", [{"args": {"V": "b"}}])
add("bind_mount_source", "RUN --mount=source=a,target=/m cat /m > /rb-bind", [files(b="other"), files(a="other")])
add("bind_mount_context", "RUN --mount=target=/m cat /m/a > /rb-bindctx", [files(b="other")])
add("secret_changes", "RUN --mount=type=secret,id=s cat /run/secrets/s > /rb-secret", [], secrets={"s": "hush"})
add("cache_mount", "RUN --mount=type=cache,id=rb-cache,target=/c date +%N >> /c/x; touch /rb-cache", [])
add("stage_untouched", "FROM busybox AS one\nLABEL case=su\nCOPY a /rb-su/\nRUN cat /rb-su/a > /one\nFROM busybox AS two\nCOPY b /rb-su2/\nRUN cat /rb-su2/b > /two\nFROM busybox\nCOPY --from=one /one /\nCOPY --from=two /two /\nRUN cat /one /two > /rb-sum", [files(a="other"), files(b="other")])
add("stage_unused", "FROM busybox AS one\nCOPY a /rb-unused/\nRUN false\nFROM busybox\nLABEL case=stun\nCOPY b /rb-unused-b/", [files(a="other")])
add("from_chain", "FROM busybox AS one\nCOPY a /rb-chain/\nFROM one AS two\nRUN cat /rb-chain/a > /two\nFROM two\nCOPY b /three", [files(b="other"), files(a="other")])
add("heredoc_body", "COPY <<EOF /rb-here\n1\nEOF\nRUN cat /rb-here > /o", [{"dockerfile": "FROM busybox\nLABEL case=heredoc_body\nCOPY <<EOF /rb-here\n2\nEOF\nRUN cat /rb-here > /o\n"}])
add("env_changed", "ENV A=1\nRUN echo rb-env > /o", [{"dockerfile": "FROM busybox\nLABEL case=env_changed\nENV A=2\nRUN echo rb-env > /o\n"}])
add("label_changed", "RUN echo rb-label > /o", [{"dockerfile": "FROM busybox\nLABEL case=other\nRUN echo rb-label > /o\n"}])
add("comment_changed", "RUN echo rb-comment > /o", [{"dockerfile": "# a comment\nFROM busybox\nLABEL case=comment_changed\n# another\nRUN echo rb-comment > /o\n"}])
add("user_changed", "USER 1\nRUN echo rb-user > /tmp/o", [{"dockerfile": "FROM busybox\nLABEL case=user_changed\nUSER 2\nRUN echo rb-user > /tmp/o\n"}])
add("workdir_changed", "WORKDIR /rb-w1\nRUN pwd > /o", [{"dockerfile": "FROM busybox\nLABEL case=workdir_changed\nWORKDIR /rb-w2\nRUN pwd > /o\n"}])
add("chmod_changed", "COPY --chmod=644 a /rb-chmod", [{"dockerfile": "FROM busybox\nLABEL case=chmod_changed\nCOPY --chmod=600 a /rb-chmod\n"}])
add("step_appended", "RUN echo rb-app > /o", [{"dockerfile": "FROM busybox\nLABEL case=step_appended\nRUN echo rb-app > /o\nRUN echo rb-app2 > /p\n"}])
add("step_removed", "RUN echo rb-rem > /o\nRUN echo rb-rem2 > /p\nRUN echo rb-rem3 > /q", [{"dockerfile": "FROM busybox\nLABEL case=step_removed\nRUN echo rb-rem > /o\nRUN echo rb-rem3 > /q\n"}])
add("steps_swapped", "COPY a /rb-sw/\nCOPY b /rb-sw/", [{"dockerfile": "FROM busybox\nLABEL case=steps_swapped\nCOPY b /rb-sw/\nCOPY a /rb-sw/\n"}])
add("text_blanks", "RUN echo rb-blank > /o", [{"dockerfile": "FROM busybox\nLABEL case=text_blanks\nRUN  echo rb-blank  >  /o\n"}])
add("copy_link_base_changed", "RUN echo rb-l1 > /o\nCOPY --link a /rb-linked/", [{"dockerfile": "FROM busybox\nLABEL case=x\nRUN echo rb-l2 > /o\nCOPY --link a /rb-linked/\n"}])
for name, change in {"go_two_stages": {"files": {"README.md": "y"}}, "node_production": {"files": {"src/index.js": "console.log(2)\n"}}, "python_app": {"files": {"app/main.py": "def main():\n    print('hello')\n"}}, "java_maven": {"files": {"pom.xml": "<project>2</project>\n"}}, "rust_dummy_main": {"files": {"src/main.rs": "fn main() { }\n"}}, "cxx_make": {"files": {"util.cc": '#include "util.h"\nint f() { return 43; }\n'}},
                     "mono_one_file_many_targets": {"files": {"services/web/main.sh": {"text": "#!/bin/sh\necho web2\n", "mode": 0o755}}}, "config_files_heredoc": {"args": {"PORT": "9090"}}}.items():
    CASES["complete_" + name] = {**complete.WHOLE[name], "rebuilds": [NOTHING, change]}
