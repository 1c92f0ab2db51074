"""COPY: sources, destinations, wildcards, links, metadata, flags."""

TREE = {"a.txt": "a", "b.txt": "bb", ".hidden": "h", "dir/one": "1", "dir/two": "2", "dir/sub/deep": "d",
        "dir/link": {"link": "one"}, "exec.sh": {"text": "#!/bin/sh\n", "mode": 0o755}, "suid": {"text": "s", "mode": 0o4755},
        "dir2/one": "other", "tolink": {"link": "dir"}, "filelink": {"link": "a.txt"}, "odd [x].txt": "odd",
        "ro/file": {"text": "r", "mode": 0o400}, "empty": None, "hard1": "hh", "hard2": {"hardlink": "hard1"}}


def case(body, base="busybox", **more):
    return {"dockerfile": "FROM %s\n%s\n" % (base, body), "files": TREE, "base": base, **more}


CASES = {}

# destination forms × sources
for label, source in {"file": "a.txt", "directory": "dir", "directory_slash": "dir/", "contents": "dir/.", "link_to_file": "filelink",
                      "link_to_directory": "tolink", "executable": "exec.sh", "setuid": "suid", "hidden": ".hidden",
                      "empty_directory": "empty", "hard_links": "hard1 hard2", "read_only": "ro", "slash": "/dir"}.items():
    for kind, destination in {"name": "/new", "slash": "/new/", "dot": "/new/.", "existing": "/tmp", "nested": "/x/y/z/"}.items():
        CASES["%s_to_%s" % (label, kind)] = case("COPY %s %s" % (source, destination))

# relative destinations
for kind, destination in {"dot": ".", "dot_slash": "./", "name": "name", "name_slash": "name/", "empty": '""', "up": "../up/"}.items():
    body = 'WORKDIR /work/dir\nCOPY ["a.txt", %s]' % ('"%s"' % destination.strip('"'))
    CASES["relative_destination_" + kind] = case(body)

# several sources and wildcards
for kind, body in {
        "several": "COPY a.txt b.txt /d/", "several_without_slash": "COPY a.txt b.txt /d", "star": "COPY *.txt /d/",
        "star_all": "COPY * /d/", "question": "COPY ?.txt /d/", "class": "COPY [ab].txt /d/", "escaped": 'COPY ["odd \\\\[x].txt", "/d/"]',
        "bracket": 'COPY ["odd [[]x].txt", "/d/"]', "no_match": "COPY nothing* /d/", "below": "COPY dir/* /d/", "middle": "COPY d*/one /d/",
        "same_name_twice": "COPY dir/one dir2/one /d/", "directories": "COPY dir dir2 /d/", "star_directory": "COPY dir* /d/",
        "missing": "COPY nope /d/", "missing_directory_star": "COPY nope/* /d/", "parent": "COPY ../a.txt /d/", "root": "COPY / /d/",
        "dot": "COPY . /d/", "dot_to_root": "COPY . /", "json": 'COPY ["a.txt","b.txt","/d/"]', "name_with_blanks": 'COPY ["odd [[]x].txt","/a b/"]',
        "file_over_directory": "COPY a.txt /d\nCOPY dir /d", "directory_over_file": "RUN mkdir -p /d/a.txt\nCOPY a.txt /d/",
        "twice": "COPY a.txt /f\nCOPY b.txt /f", "identical_twice": "COPY a.txt /f\nCOPY a.txt /f"}.items():
    CASES["sources_" + kind] = case(body)

# links in the image
for kind, body in {
        "destination_is_link_to_directory": "RUN mkdir /real && ln -s /real /l\nCOPY a.txt /l/",
        "destination_is_link_without_slash": "RUN mkdir /real && ln -s /real /l\nCOPY a.txt /l",
        "directory_to_link": "RUN mkdir /real && ln -s /real /l\nCOPY dir /l",
        "destination_is_link_to_file": "RUN echo x > /real && ln -s real /l\nCOPY a.txt /l",
        "dangling_link": "RUN ln -s /nowhere /l\nCOPY a.txt /l",
        "link_inside_destination_replaced": "RUN mkdir /d && echo t > /t && ln -s /t /d/a.txt\nCOPY a.txt /d/",
        "link_on_the_way": "RUN mkdir /real && ln -s real /l\nCOPY a.txt /l/sub/f",
        "link_leads_out": "RUN ln -s ../../../../tmp /l\nCOPY a.txt /l/",
        "directory_over_nested_link": "RUN mkdir /d && ln -s /tmp /d/sub\nCOPY dir /d",
        "file_over_nested_directory": "RUN mkdir -p /d/one\nCOPY dir /d", "chain": "RUN mkdir /r && ln -s r /l1 && ln -s l1 /l2\nCOPY a.txt /l2/",
        "hardlinked_target": "RUN echo x > /f && ln /f /g\nCOPY a.txt /f"}.items():
    CASES["links_" + kind] = case(body)

# metadata of directories that exist
for kind, body in {
        "destination_keeps_mode": "RUN mkdir -m 700 /d && chown 5:6 /d\nCOPY dir /d", "below_takes_source": "RUN mkdir -p /d/sub && chmod 700 /d/sub && chown 5:6 /d/sub\nCOPY dir /d",
        "user_does_not_matter": "USER nobody\nCOPY a.txt /n/e/w/", "replaces_mode": "RUN echo x > /f && chmod 600 /f && chown 3:3 /f\nCOPY a.txt /f"}.items():
    CASES["metadata_" + kind] = case(body)

# --chown
for value in ("1", "1:2", "nobody", "nobody:wheel", "daemon:7", "nosuch", "nosuch:nosuch", "1:nosuch", "nobody:", "0", "65534:65534", "root:root", ":5"):
    CASES["chown_" + value.replace(":", "_")] = case("COPY --chown=%s a.txt dir /n/w/" % value)
CASES["chown_setuid"] = case("COPY --chown=1:1 suid /n/")
CASES["chown_parents"] = case("COPY --chown=7:8 a.txt /p/q/r/file")
CASES["chown_variable"] = case("ARG WHO=daemon\nCOPY --chown=$WHO a.txt /f")

# --chmod
for value in ("644", "0755", "4755", "1777", "2750", "0", "7777", "u=rwX,go=rX", "a+x", "go-r", "u+s", "+t", "g=u", "o=", "a=rw", "u=rw,g+w,o-r", "8", "abc", "77777", "u=q"):
    CASES["chmod_" + value.replace("=", "_").replace(",", ".").replace("+", "plus")] = case("COPY --chmod=%s a.txt dir exec.sh /n/w/" % value)
CASES["chmod_parents_numeric"] = case("COPY --chmod=700 a.txt /p/q/file")
CASES["chmod_link"] = case("COPY --chmod=600 dir /d")
CASES["chmod_chown"] = case("COPY --chmod=4711 --chown=3:4 exec.sh /n/")

# --link
for kind, body in {"file": "COPY --link a.txt /n/f", "directory": "COPY --link dir /d", "over_link": "RUN mkdir /real && ln -s /real /l\nCOPY --link a.txt /l/",
                   "existing_directory": "RUN mkdir -m 700 /d\nCOPY --link a.txt /d/", "chown": "COPY --link --chown=5:6 a.txt /n/m/", "chmod": "COPY --link --chmod=600 a.txt /n/",
                   "false": "COPY --link=false a.txt /f", "over_file": "RUN echo x > /f\nCOPY --link a.txt /f", "tmp": "COPY --link a.txt /tmp/"}.items():
    CASES["link_" + kind] = case(body)

# --parents, --exclude
for kind, body in {"file": "COPY --parents dir/sub/deep /d/", "pivot": "COPY --parents dir/./sub/deep /d/", "star": "COPY --parents dir/*/deep /d/",
                   "double_star": "COPY --parents **/deep /d/", "directory": "COPY --parents dir/sub /d/", "several": "COPY --parents dir/one dir2/one /d/",
                   "missing": "COPY --parents nope/x /d/", "no_match": "COPY --parents nope*/x /d/", "all": "COPY --parents . /d/", "pivot_star": "COPY --parents ./dir/./* /d/"}.items():
    CASES["parents_" + kind] = case(body)
for kind, body in {"name": "COPY --exclude=one dir /d/", "star": "COPY --exclude=*.txt . /d/", "double_star": "COPY --exclude=**/one . /d/", "two": "COPY --exclude=one --exclude=two dir /d/",
                   "directory": "COPY --exclude=sub dir /d/", "exception": "COPY --exclude=* --exclude=!two dir /d/", "below": "COPY --exclude=sub/deep dir /d/",
                   "everything": "COPY --exclude=** dir /d/", "with_parents": "COPY --parents --exclude=**/two dir /d/", "file_itself": "COPY --exclude=a.txt a.txt /d/"}.items():
    CASES["exclude_" + kind] = case(body)

# --from
HEAD = "FROM busybox AS src\nRUN mkdir -p /s/in && echo 1 > /s/f && chown 3:4 /s/f && chmod 4755 /s/f && ln -s f /s/l && ln /s/f /s/h && echo d > /s/in/d && chown 9:9 /s/in && mkfifo /s/p && mknod /s/n c 1 3\n"
for kind, body in {"directory": "COPY --from=src /s /d", "file": "COPY --from=src /s/f /f", "link": "COPY --from=src /s/l /f", "index": "COPY --from=0 /s/f /f", "upper_case": "COPY --from=SRC /s/f /f",
                   "wildcard": "COPY --from=src /s/* /d/", "relative": "COPY --from=src s/f /f", "chown": "COPY --from=src --chown=1:1 /s /d", "chmod": "COPY --from=src --chmod=600 /s /d", "missing": "COPY --from=src /nope /f",
                   "out_of_range": "COPY --from=7 /s /d", "itself": "COPY --from=me /s /d", "unknown_image": "COPY --from=busybox /bin/busybox /bb", "exclude": "COPY --from=src --exclude=h /s /d", "parents": "COPY --from=src --parents /s/in/d /d/",
                   "scratch": "COPY --from=src /s/in /in", "no_match": "COPY --from=src /s/zz* /d/", "link_flag": "COPY --from=src --link /s /d"}.items():
    CASES["from_" + kind] = {"dockerfile": HEAD + "FROM busybox AS me\n" + body + "\n", "files": TREE, "base": "busybox"}
CASES["from_to_scratch"] = {"dockerfile": HEAD + "FROM scratch\nCOPY --from=src /s /d\n", "files": {}, "base": "scratch"}
CASES["from_chain"] = {"dockerfile": HEAD + "FROM src AS mid\nRUN rm /s/f\nFROM scratch\nCOPY --from=mid /s /d\n", "files": {}, "base": "scratch"}

# scratch
for kind, body in {"file": "COPY a.txt /f", "directory": "COPY dir /d", "root": "COPY dir /", "nested": "COPY a.txt /x/y/", "workdir": "WORKDIR /w\nCOPY a.txt ."}.items():
    CASES["scratch_" + kind] = case(body, base="scratch")

# here-documents
for kind, body in {"one": "COPY <<EOF /f\nhello $X\nEOF", "quoted": "COPY <<'EOF' /f\nhello $X\nEOF", "two": "COPY <<a <<b /d/\none\na\ntwo\nb", "indented": "COPY <<-EOF /f\n\thello\n\tEOF",
                   "chmod": "COPY --chmod=755 <<EOF /bin/tool\n#!/bin/sh\nEOF", "chown": "COPY --chown=1:2 <<EOF /f\nx\nEOF", "with_file": "COPY a.txt <<EOF /d/\nx\nEOF", "empty": "COPY <<EOF /f\nEOF", "add": "ADD <<EOF /f\nx\nEOF"}.items():
    CASES["heredoc_" + kind] = case("ARG X=world\n" + body)

# .dockerignore
for kind, lines in {"name": "a.txt", "star": "*.txt", "directory": "dir", "exception": "*\n!a.txt", "nested_exception": "dir\n!dir/one", "double_star": "**/one", "comment": "#x\na.txt", "slash": "/a.txt", "trailing_slash": "dir/", "question": "?.txt",
                    "all": "*", "nested_star": "dir/*", "deep_exception": "*\n!**/deep", "dockerignore_itself": ".dockerignore\na.txt", "blank_lines": "\n  a.txt  \n\n", "later_wins": "!a.txt\na.txt"}.items():
    CASES["ignore_" + kind] = {"dockerfile": "FROM busybox\nCOPY . /d/\n", "files": {**TREE, ".dockerignore": lines + "\n"}, "base": "busybox"}
CASES["ignore_named_source"] = {"dockerfile": "FROM busybox\nCOPY a.txt /d/\n", "files": {**TREE, ".dockerignore": "a.txt\n"}, "base": "busybox"}
CASES["ignore_mount"] = {"dockerfile": "FROM busybox\nRUN --mount=target=/src ls -A /src > /list\n", "files": {"a": "", "b": "", ".dockerignore": "a\n"}, "base": "busybox"}
