"""Section 6 of the language: COPY and ADD beyond the first cases, traps 1 to 23 and 41 to 49."""
import io
import tarfile

TREE = {"a.txt": "a", "b.txt": "bb", ".dot/.f": "hidden", "dir/one": "1", "dir/two.go": "2", "dir/sub/deep": "d", "dir/sub/x.go": "go",
        "dir/link": {"link": "one"}, "dir/dirlink": {"link": "sub"}, "dir/broken": {"link": "nowhere"}, "dir/up": {"link": "../a.txt"}, "dir/abs": {"link": "/etc/passwd"},
        "linkdir": {"link": "dir"}, "linkfile": {"link": "a.txt"}, "linkchain": {"link": "linkfile"}, "linkabs": {"link": "/a.txt"}, "linkout": {"link": "../../../../etc/passwd"}, "broken": {"link": "nope"}, "loop": {"link": "loop"},
        "run.sh": {"text": "#!/bin/sh\n", "mode": 0o755}, "suid": {"text": "s", "mode": 0o6755}, "sticky/f": "x", "käse/☃": "snow", "sp ace/f g": "blank", "br[a]c/f": "br", "st*r": "star", "qu?": "q", "back\\slash": "bs",
        "h1": "hard", "h2": {"hardlink": "h1"}, "hd/h3": {"hardlink": "h1"}, "hd/h4": {"hardlink": "h1"}, "pipe": {"fifo": True, "mode": 0o640}, "empty": None, "d1/d2/d3/leaf": "leaf", "none": {"text": "n", "mode": 0}, "x/y/f.go": "1", "x/z/f.go": "2", "x/f.md": "3"}


def case(body, **more):
    text = body if body.startswith("FROM") else "FROM busybox\n" + body
    return {"dockerfile": text + "\n", "files": {**TREE, **more.pop("files", {})}, "base": more.pop("base", "busybox"), **more}


CASES = {}

# 6.1 sources, 6.2 destinations, 6.3 directories
for name, body in {
        "parents_out": "COPY ../../a.txt /d/", "dots_inside": "COPY dir/../a.txt /d/", "slash_twice": "COPY //dir//one /d/", "dot_slash": "COPY ./a.txt /d/", "dir_dot": "COPY dir/. /d/", "trailing_slash_file": "COPY a.txt/ /d/", "url_refused": "COPY http://x/y /d/", "git_refused": "COPY https://x/y.git /d/", "ssh_git_refused": "COPY git@h:r.git /d/", "url_upper": "COPY HTTP://x/y /d/", "destination_dot_end": "COPY a.txt /d/.", "destination_dotdot": "COPY a.txt /d/../e", "destination_dotdot_end": "COPY a.txt /d/..",
        "destination_slashes": "COPY a.txt //d///e", "destination_existing_file": "RUN echo x > /d\nCOPY a.txt /d", "destination_file_slash": "RUN echo x > /d\nCOPY a.txt /d/", "destination_below_file": "RUN echo x > /d\nCOPY a.txt /d/e/f", "destination_workdir_slash": "WORKDIR /w/\nCOPY a.txt x/", "destination_empty": 'WORKDIR /w\nCOPY ["a.txt", ""]', "destination_variable_empty": "WORKDIR /w\nCOPY a.txt $NOPE", "destination_root": "COPY a.txt /", "destination_root_name": "COPY dir /", "destination_relative_no_workdir": "COPY a.txt x/y",
        "several_last_wins": "COPY a.txt b.txt run.sh /d", "several_directory_and_file": "COPY dir a.txt /d", "several_file_and_directory": "COPY a.txt dir /d", "several_directories_same": "COPY dir hd /d", "same_twice": "COPY a.txt a.txt /d/", "merge": "RUN mkdir -p /d/sub && echo old > /d/one && echo kept > /d/kept && echo kept > /d/sub/kept\nCOPY dir /d", "parents_chmod": "COPY --chmod=711 a.txt /p/q/r/", "parents_chmod_symbolic": "COPY --chmod=u=rwx,go= a.txt /p/q/r/", "parents_chown_link": "COPY --link --chown=8 a.txt /p/q/r/", "parents_user": "USER 9\nCOPY dir /p/q/", "json_dot": 'COPY [".", "/d/"]',
        "star_into_file": "COPY *.txt /d", "empty_directory_merge": "RUN mkdir -m 700 /d\nCOPY empty /d", "empty_directory_inside": "COPY empty /d/", "no_read_mode": "COPY none /d/", "to_proc": "COPY a.txt /proc/x", "to_dev": "COPY a.txt /dev/x", "to_etc": "COPY a.txt /etc/hosts", "to_resolv": "COPY a.txt /etc/resolv.conf"}.items():
    CASES["path_" + name] = case(body)

# 6.4 wildcards
for name, body in {
        "class_range": "COPY [a-b].txt /d/", "class_negated": "COPY [^a].txt /d/", "class_bang": "COPY [!a].txt /d/", "class_unclosed": "COPY [a.txt /d/", "class_empty": "COPY []a.txt /d/", "question_in_middle": "COPY ru?.sh /d/", "star_dot": "COPY .d* /d/", "star_matches_dot": "COPY * /d/", "star_slash_star": "COPY */* /d/", "star_no_cross": "COPY d*f /d/", "escaped_star": "COPY st\\\\*r /d/", "escaped_star_json": 'COPY ["st\\\\*r", "/d/"]', "escaped_question": 'COPY ["qu\\\\?", "/d/"]', "bracket_literal": 'COPY ["br[[]a]c/f", "/d/"]', "bracket_directory": 'COPY ["br[[]a]c", "/d/"]',
        "unicode": "COPY k?se/* /d/", "unicode_class": "COPY k[ä]se /d/", "blank_json": 'COPY ["sp*/f ?", "/d/"]', "prefix_through_link": "COPY linkdir/*.go /d/", "prefix_link_out": "COPY linkout/* /d/", "matches_link_to_file": "COPY linkf* /d/", "matches_link_to_dir": "COPY linkd* /d/", "matches_broken_link": "COPY brok* /d/", "double_star": "COPY **/deep /d/", "double_star_go": "COPY x/**/*.go /d/", "no_match_dir": "COPY dir/*.none /d/", "no_match_keeps_layer": "COPY none*x /d/\nRUN ls / > /o", "no_match_and_match": "COPY none*x a.txt /d/", "missing_below": "COPY nope/*/x /d/",
        "backslash_end": "COPY a.txt\\ /d/", "malformed": "COPY a[ /d/", "malformed_range": "COPY a[z-a] /d/", "malformed_escape": 'COPY ["a\\\\", "/d/"]', "two_files_no_slash": "COPY [ab].txt /d", "directory_star": "COPY d1/* /d/", "directory_star_star": "COPY d1/*/* /d/", "star_end_slash": "COPY d*/ /d/", "sorted_last_wins": "COPY x/*/f.go /d", "from_stage": "FROM busybox AS s\nRUN mkdir -p /s/a /s/b && echo 1 > /s/a/f && echo 2 > /s/b/f\nFROM busybox\nCOPY --from=s /s/*/f /d/", "from_stage_class": "FROM busybox AS s\nRUN touch /x1 /x2 /x3\nFROM busybox\nCOPY --from=s /x[12] /d/"}.items():
    CASES["glob_" + name] = case(body)

# 6.5 links and conflicts
for name, body in {
        "chain": "COPY linkchain /d/", "absolute_in_context": "COPY linkabs /d/", "out_of_context": "COPY linkout /d/", "broken": "COPY broken /d/", "loop": "COPY loop /d/", "through_directory_link": "COPY linkdir/one /d/", "directory_link_slash": "COPY linkdir/ /d/", "nested_stay": "COPY dir /d/", "destination_chain": "RUN mkdir -p /r && ln -s /r /1 && ln -s 1 /2\nCOPY a.txt /2/x/", "destination_relative_link": "RUN mkdir -p /a/b /c && ln -s ../../c /a/b/l\nCOPY a.txt /a/b/l/", "destination_loop": "RUN ln -s /l /l\nCOPY a.txt /l", "destination_loop_below": "RUN ln -s /l /l\nCOPY a.txt /l/x",
        "destination_link_to_missing_dir": "RUN ln -s /nowhere/x /l\nCOPY a.txt /l/", "destination_link_to_missing_file": "RUN ln -s nofile /l\nCOPY a.txt /l", "destination_link_up": "RUN ln -s ../../../.. /l\nCOPY a.txt /l/esc", "directory_to_link_slash": "RUN mkdir /r && ln -s r /l\nCOPY dir /l/", "directory_to_link_file": "RUN touch /r && ln -s r /l\nCOPY dir /l", "directory_to_file": "RUN touch /d\nCOPY dir /d", "directory_to_file_slash": "RUN touch /d\nCOPY dir /d/", "nested_dir_over_file": "RUN mkdir /d && touch /d/sub\nCOPY dir /d/", "nested_dir_over_link_to_dir": "RUN mkdir /d /r && ln -s /r /d/sub\nCOPY dir /d/", "nested_dir_over_broken_link": "RUN mkdir /d && ln -s /no /d/sub\nCOPY dir /d/",
        "nested_file_over_dir": "RUN mkdir -p /d/one\nCOPY dir /d/", "nested_file_over_dir_full": "RUN mkdir -p /d/one/x\nCOPY dir /d/", "nested_file_over_link": "RUN mkdir /d && echo t > /t && ln -s /t /d/one\nCOPY dir /d/", "nested_link_over_file": "RUN mkdir /d && echo t > /d/link\nCOPY dir /d/", "nested_link_over_dir": "RUN mkdir -p /d/link\nCOPY dir /d/", "nested_link_over_link": "RUN mkdir /d && ln -s two /d/link\nCOPY dir /d/", "file_over_dir_named": "RUN mkdir /d\nCOPY a.txt /d", "file_over_dir_inside": "RUN mkdir -p /d/a.txt\nCOPY a.txt /d/", "fifo": "COPY pipe /d/", "fifo_over_file": "RUN mkdir /d && touch /d/pipe\nCOPY pipe /d/",
        "hard_links_dir": "COPY hd /d/", "hard_links_split": "COPY h1 h2 /d/", "hard_links_star": "COPY h? /d/", "hard_links_all": "COPY . /d/", "hard_links_over": "RUN mkdir /d && echo x > /d/h3 && ln /d/h3 /d/other\nCOPY hd /d/", "write_through_keeps_link": "RUN echo x > /real && chmod 600 /real && chown 3:4 /real && ln -s real /l\nCOPY a.txt /l\nRUN ls -l /l | awk '{print $NF}' > /o", "var_run_link": "RUN rm -rf /var/run && mkdir -p /var /run && ln -s /run /var/run\nCOPY a.txt /var/run/x/"}.items():
    CASES["link_" + name] = case(body)

# 6.6 metadata
STAGE = ("FROM busybox AS s\nRUN mkdir -p /s/d/e && echo 1 > /s/f && echo 2 > /s/d/g && chown 11:12 /s/f && chmod 6711 /s/f && chown 21:22 /s/d && chmod 2750 /s/d && chmod 1777 /s/d/e && "
         "mkfifo /s/p && mknod /s/c c 1 7 && mknod /s/b b 8 1 && ln -s f /s/l && ln -s /nope /s/broken && ln /s/f /s/h && touch -h -d '2001-02-03 04:05:06' /s/f /s/l /s/d/g && truncate -s 1048576 /s/sparse && chown -h 31:32 /s/l\nFROM busybox\n")
for name, body in {
        "all": STAGE + "COPY --from=s /s /d", "chown_all": STAGE + "COPY --from=s --chown=5:6 /s /d", "chmod_all": STAGE + "COPY --from=s --chmod=640 /s /d", "chmod_symbolic_all": STAGE + "COPY --from=s --chmod=a+rX,u-s,g-s /s /d", "file_only": STAGE + "COPY --from=s /s/f /d/", "device_only": STAGE + "COPY --from=s /s/c /d/", "fifo_only": STAGE + "COPY --from=s /s/p /d/", "broken_link_only": STAGE + "COPY --from=s /s/broken /d/", "hard_links_apart": STAGE + "COPY --from=s /s/f /s/h /d/", "hard_links_star": STAGE + "COPY --from=s /s/[fh] /d/", "destination_keeps": STAGE + "RUN mkdir -m 700 /d && chown 7:8 /d && touch -d '2002-01-01 00:00:00' /d\nCOPY --from=s /s/d /d",
        "below_takes": STAGE + "RUN mkdir -p /d/e && chmod 700 /d /d/e && chown 7:8 /d /d/e\nCOPY --from=s /s/d /d", "root_of_stage": STAGE + "COPY --from=s / /all/", "dot_of_stage": STAGE + "COPY --from=s . /all/", "from_image": "FROM busybox\nCOPY --from=busybox /etc /e", "user_of_stage_ignored": "FROM busybox AS s\nUSER 5\nRUN touch /tmp/x\nFROM busybox\nCOPY --from=s /tmp/x /x", "workdir_of_stage_ignored": "FROM busybox AS s\nWORKDIR /w\nRUN touch x\nFROM busybox\nCOPY --from=s w/x /x", "workdir_relative_source": "FROM busybox AS s\nWORKDIR /w\nRUN touch x\nFROM busybox\nCOPY --from=s x /x",
        "setgid_directory": "FROM busybox\nRUN mkdir /d && chmod 2775 /d && chown 0:50 /d\nCOPY a.txt sub /d/", "setgid_directory_kept": "FROM busybox\nRUN mkdir /d && chmod 2775 /d && chown 0:50 /d\nCOPY a.txt dir /d/x/", "tmp_sticky": "FROM busybox\nCOPY a.txt /tmp/", "root_mode": "FROM busybox\nRUN chmod 711 / && chown 1:1 /\nCOPY dir /", "suid_context": "FROM busybox\nCOPY suid /d/", "suid_context_chown": "FROM busybox\nCOPY --chown=9:9 suid /d/", "overwrite_suid": "FROM busybox\nRUN echo x > /f && chmod 4755 /f\nCOPY a.txt /f"}.items():
    CASES["meta_" + name] = case(body)
CASES["meta_to_scratch"] = case(STAGE.replace("FROM busybox\n", "", 1)[:0] + STAGE[:STAGE.rindex("FROM busybox")] + "FROM scratch\nCOPY --from=s /s /", base="scratch")

# 6.7 --chown, --chmod
for name, body in {
        "passwd_of_image": "RUN echo 'app:x:1234:4321::/:/bin/sh' >> /etc/passwd && echo 'grp:x:777:' >> /etc/group\nCOPY --chown=app a.txt /1\nCOPY --chown=app:grp a.txt /2\nCOPY --chown=5:grp a.txt /3\nCOPY --chown=grp a.txt /4", "no_passwd": "FROM scratch\nCOPY --chown=root a.txt /f", "no_passwd_group": "FROM scratch\nCOPY --chown=0:wheel a.txt /f", "no_passwd_numeric": "FROM scratch\nCOPY --chown=5:6 a.txt /f", "big": "COPY --chown=4000000000 a.txt /f", "too_big": "COPY --chown=99999999999 a.txt /f", "negative": "COPY --chown=-1 a.txt /f", "empty_user": "COPY --chown=:wheel a.txt /f", "three": "COPY --chown=1:2:3 a.txt /f", "blank": 'COPY --chown="1 2" a.txt /f',
        "existing_parent": "RUN mkdir /p\nCOPY --chown=3 a.txt /p/q/r", "links": "COPY --chown=3:4 dir /d", "into_existing": "RUN mkdir /d\nCOPY --chown=3:4 dir /d", "number_in_passwd": "COPY --chown=65534 a.txt /f", "name_number_mix": "COPY --chown=daemon:0 a.txt /f", "from_passwd_of_target": "FROM busybox AS s\nRUN echo 'only:x:55:66::/:/bin/sh' >> /etc/passwd && touch /x\nFROM busybox\nCOPY --from=s --chown=only /x /x", "padded": "COPY --chown=007:08 a.txt /f", "user_colon_unknown": "COPY --chown=ghost: a.txt /f", "number_colon": "COPY --chown=5: a.txt /f"}.items():
    CASES["owner_" + name] = case(body, base="scratch" if body.startswith("FROM scratch") else "busybox")
for value in ("00644", "07777", "+x", "u+x,g-w", "a=", "=rw", "o=g", "u=g,g=o", "go=u", "g=u-w", "u+rwxst", "a-s", "+X", "-x", "u=rwx,u-w", "ug+s,o+t", "rw", "u+", "u", ",u+x", "u+x,", "0o644", "0x1ff", "-1", "644x", "888", "10000", "a+rwX,o-rwx", "go+X", "u=rws", "=", "755,u+s"):
    label = value.replace("=", "_eq_").replace(",", ".").replace("+", "_plus_").replace("-", "_minus_")
    CASES["mode_" + label] = case('COPY --chmod="%s" a.txt run.sh suid dir /n/' % value)

# 6.8 --link
for name, body in {
        "several_layers": "COPY --link a.txt /1\nRUN touch /2\nCOPY --link b.txt /3", "overwrites_mode": "RUN mkdir -m 700 /d && chown 3:3 /d\nCOPY --link dir /d/e/", "over_directory_link": "RUN mkdir /r && ln -s r /l\nCOPY --link dir /l", "file_over_directory": "RUN mkdir -p /d/a.txt\nCOPY --link a.txt /d/", "directory_over_file": "RUN touch /d\nCOPY --link dir /d", "no_slash_directory": "RUN mkdir /d\nCOPY --link a.txt /d", "from": "FROM busybox AS s\nRUN mkdir /s && touch /s/x && chown 4:4 /s/x\nFROM busybox\nCOPY --link --from=s /s /d", "star": "COPY --link *.txt /d/", "no_match": "COPY --link nope* /d/", "missing": "COPY --link nope /d/",
        "chown_name": "COPY --link --chown=daemon a.txt /d/", "chown_name_unknown": "COPY --link --chown=ghost a.txt /d/", "chmod": "COPY --link --chmod=4711 a.txt /d/e/", "workdir": "WORKDIR /w\nCOPY --link a.txt sub/", "exclude": "COPY --link --exclude=*.go dir /d/", "parents": "COPY --link --parents dir/sub/deep /d/", "add_archive": "ADD --link t.tar /d/", "user": "USER 9\nCOPY --link a.txt /d/", "to_root": "COPY --link a.txt /", "twice_same_directory": "COPY --link a.txt /d/\nCOPY --link b.txt /d/", "on_scratch": "FROM scratch\nCOPY --link a.txt /d/\nCOPY --link b.txt /d/", "links_inside": "COPY --link dir /d/"}.items():
    CASES["linked_" + name] = case(body, base="scratch" if body.startswith("FROM scratch") else "busybox", files={"t.tar": {"bytes": b""}})

# 6.9 --parents and --exclude
for name, body in {
        "file": "COPY --parents a.txt /d/", "no_slash": "COPY --parents dir/one /d", "directory_no_slash": "COPY --parents dir/sub /d", "deep": "COPY --parents d1/d2/d3/leaf /d/", "double_star": "COPY --parents **/*.go /d/", "double_star_below": "COPY --parents x/**/*.go /d/", "star": "COPY --parents x/*/f.go /d/", "pivot": "COPY --parents x/./y/f.go /d/", "pivot_double_star": "COPY --parents x/./**/*.go /d/", "pivot_start": "COPY --parents ./x/y/f.go /d/", "pivot_end": "COPY --parents x/y/./ /d/", "pivot_end_dot": "COPY --parents x/y/. /d/", "pivot_twice": "COPY --parents x/./y/./f.go /d/", "pivot_star": "COPY --parents x/./* /d/", "several": "COPY --parents x/f.md x/y/f.go dir/one /d/",
        "root_slash": "COPY --parents /x/y/f.go /d/", "dotdot": "COPY --parents ../x/y/f.go /d/", "dot": "COPY --parents . /d/", "slash": "COPY --parents / /d/", "dot_star": "COPY --parents ./* /d/", "star_alone": "COPY --parents * /d/", "missing": "COPY --parents x/nope /d/", "missing_star": "COPY --parents x/nope* /d/", "missing_one_of_two": "COPY --parents x/f.md x/nope /d/", "link_on_the_way": "COPY --parents linkdir/one /d/", "link_itself": "COPY --parents linkfile /d/", "link_in_directory": "COPY --parents dir /d/", "trailing_slash": "COPY --parents x/y/ /d/", "chown": "COPY --parents --chown=5:6 x/y/f.go /d/", "chmod": "COPY --parents --chmod=700 x/y/f.go /d/", "to_file_name": "COPY --parents x/y/f.go /d/e",
        "existing": "RUN mkdir -p /d/x && chmod 700 /d/x && chown 3:3 /d/x\nCOPY --parents x/y/f.go /d/", "from": "FROM busybox AS s\nRUN mkdir -p /s/a/b && chmod 711 /s/a && chown 4:5 /s/a && touch /s/a/b/f /s/a/g\nFROM busybox\nCOPY --parents --from=s /s/a/b/f /d/\nCOPY --parents --from=s /s/./a/b /e/", "from_double_star": "FROM busybox AS s\nRUN mkdir -p /s/a/b && touch /s/a/b/f.x /s/g.x\nFROM busybox\nCOPY --parents --from=s /s/**/*.x /d/", "workdir": "WORKDIR /w\nCOPY --parents x/y/f.go ./", "exclude": "COPY --parents --exclude=**/z x /d/", "exclude_pivot": "COPY --parents --exclude=y x/./y x/./z /d/", "false": "COPY --parents=false x/y/f.go /d/", "mode_of_parents": "COPY --parents sticky/f /d/", "hard": "COPY --parents hd/h3 h1 /d/",
        "heredoc": "COPY --parents <<EOF /d/\nx\nEOF", "relative_destination": "COPY --parents x/f.md rel/"}.items():
    CASES["parents_" + name] = case(body)
for name, flags in {
        "suffix": "--exclude=*.go dir", "deep_suffix": "--exclude=**/*.go dir", "directory": "--exclude=sub dir", "directory_slash": "--exclude=sub/ dir", "directory_content": "--exclude=sub/* dir", "anchored": "--exclude=/sub dir", "from_root_of_source": "--exclude=dir/one dir", "in_dot": "--exclude=dir/one .", "star_all": "--exclude=* dir", "exception": "--exclude=* --exclude=!one dir", "exception_deep": "--exclude=** --exclude=!sub/deep dir", "exception_parent": "--exclude=sub --exclude=!sub/deep dir", "order": "--exclude=!one --exclude=one dir", "question": "--exclude=on? dir", "class": "--exclude=[o]ne dir", "dotdot": "--exclude=../one dir", "file_source": "--exclude=a.txt a.txt", "star_source": "--exclude=a.txt *.txt",
        "several_sources": "--exclude=one dir hd", "link": "--exclude=link dir", "dot": "--exclude=. dir", "empty": "--exclude= dir", "bad_pattern": "--exclude=[ dir", "bang_only": "--exclude=! dir", "blank": '--exclude=" one" dir', "hard_link_peer": "--exclude=h3 hd", "unicode": "--exclude=k* .", "case": "--exclude=ONE dir", "backslash": "--exclude=\\\\one dir"}.items():
    CASES["exclude_" + name] = case("COPY %s /d/" % flags)
CASES["exclude_from"] = case("FROM busybox AS s\nRUN mkdir -p /s/a && touch /s/a/x /s/a/y /s/z\nFROM busybox\nCOPY --from=s --exclude=a/x /s /d")
CASES["exclude_add"] = case("ADD --exclude=*.go --exclude=sub dir /d/")


# 6.11 archives
def archive(entries, compress=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + compress, format=tarfile.PAX_FORMAT) as tar:
        for name, kind, what, mode, owner in entries:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.mtime = kind, mode, 900_000_000
            member.uid = member.gid = owner
            content = what if isinstance(what, bytes) else b""
            member.linkname = what if isinstance(what, str) else ""
            member.size = len(content)
            if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
                member.devmajor, member.devminor = 1, 5
            if name == "xattr":
                member.pax_headers = {"SCHILY.xattr.user.note": "hello"}
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


R, D, S, L, F, C = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE
ARCHIVES = {
    "dot": [("./", D, "", 0o700, 5), ("./f", R, b"1", 0o640, 6)], "nodirs": [("a/b/c", R, b"1", 0o640, 6)], "absolute": [("/abs/f", R, b"1", 0o644, 1)], "dotdot": [("../up", R, b"1", 0o644, 1)], "dotdot_inside": [("a/../b", R, b"1", 0o644, 1)], "link_out": [("l", S, "../../../../out", 0o777, 0), ("l/f", R, b"1", 0o644, 0)], "link_in": [("d", D, "", 0o755, 0), ("l", S, "d", 0o777, 0), ("l/f", R, b"1", 0o644, 0)], "hard": [("f", R, b"1", 0o644, 3), ("g", L, "f", 0o644, 3)],
    "special": [("p", F, "", 0o600, 1), ("c", C, "", 0o600, 1)], "suid": [("s", R, b"1", 0o6755, 9)], "twice": [("f", R, b"1", 0o644, 0), ("f", R, b"22", 0o600, 1)], "file_then_dir": [("x", R, b"1", 0o644, 0), ("x", D, "", 0o755, 0), ("x/y", R, b"2", 0o644, 0)], "whiteout": [("d/", D, "", 0o755, 0), ("d/.wh.gone", R, b"", 0o644, 0), ("d/here", R, b"1", 0o644, 0)], "opaque": [("d/", D, "", 0o755, 0), ("d/.wh..wh..opq", R, b"", 0o644, 0)], "xattr": [("xattr", R, b"1", 0o644, 0)], "longname": [("n" * 150 + "/" + "m" * 150, R, b"1", 0o644, 0)], "unicode": [("käse/☃", R, b"1", 0o644, 0)], "nothing": [],
    "hard_missing": [("g", L, "nope", 0o644, 3)], "dir_mode": [("d/", D, "", 0o1777, 4), ("d/f", R, b"1", 0o644, 4)]}
for name, entries in ARCHIVES.items():
    CASES["archive_" + name] = case("RUN mkdir -p /d/d && echo gone > /d/d/gone\nADD x.tar /d/", files={"x.tar": {"bytes": archive(entries)}})
SIMPLE = [("d/", D, "", 0o711, 5), ("d/f", R, b"content", 0o640, 6), ("top", R, b"t", 0o600, 7)]
for name, body in {
        "gz": "ADD x.tgz /d/", "concatenated_gz": "ADD two.gz /d/", "chown": "ADD --chown=3:4 x.tar /d/", "chmod": "ADD --chmod=700 x.tar /d/", "chown_parents": "ADD --chown=3:4 x.tar /p/q/", "link_flag": "ADD --link x.tar /d/", "exclude": "ADD --exclude=top x.tar /d/", "exclude_itself": "ADD --exclude=x.tar x.tar /d/", "star_mixed": "ADD x.* a.txt /d/", "unpack_true": "ADD --unpack x.tar /d/", "unpack_true_text": "ADD --unpack=true a.txt /d/", "unpack_false": "ADD --unpack=false x.tar /d/", "unpack_false_name": "ADD --unpack=false x.tar /d", "to_existing_file": "RUN touch /d\nADD x.tar /d", "to_link": "RUN mkdir /r && ln -s r /l\nADD x.tar /l", "to_workdir": "WORKDIR /w\nADD x.tar .", "to_new_no_slash": "ADD x.tar /new",
        "over_dir_mode": "RUN mkdir -p /d/d && chmod 700 /d/d && chown 1:1 /d/d\nADD x.tar /d/", "over_link_file": "RUN mkdir /d && ln -s /t /d/top\nADD x.tar /d/", "over_dir_with_file": "RUN mkdir -p /d/top/z\nADD x.tar /d/", "over_file_with_dir": "RUN mkdir /d && touch /d/d\nADD x.tar /d/", "link_source": "ADD lx /d/", "in_directory": "ADD tars /d/", "directory_named_tar": "ADD dir.tar /d/", "trailing_garbage": "ADD garbage.tar /d/", "short": "ADD short.tar /d/", "user": "USER 9\nADD x.tar /d/", "copy": "COPY x.tar /d/", "from_stage_no_add": "ADD x.tar /d/\nCOPY --chmod=600 x.tar /e/", "tar_no_magic": "ADD old.tar /d/", "root": "ADD x.tar /"}.items():
    old = bytearray(archive([("f", R, b"1", 0o644, 0)]))
    old[257:265] = b"\0" * 8  # version 7: no magic
    header = old[:512]
    header[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(header)
    import gzip
    CASES["unpack_" + name] = case(body, files={"x.tar": {"bytes": archive(SIMPLE)}, "x.tgz": {"bytes": archive(SIMPLE, "gz")}, "two.gz": {"bytes": gzip.compress(archive(SIMPLE)[:512], mtime=0) + gzip.compress(archive(SIMPLE)[512:], mtime=0)}, "lx": {"link": "x.tar"}, "tars/x.tar": {"bytes": archive(SIMPLE)},
                                                "dir.tar/f": "f", "garbage.tar": {"bytes": archive(SIMPLE) + b"garbage" * 100}, "short.tar": {"bytes": archive(SIMPLE)[:1200]}, "old.tar": {"bytes": bytes(old)}})
del CASES["unpack_gz"], CASES["unpack_star_mixed"]  # the time in a gzip header is now
CASES["unpack_gz"] = case("ADD x.tgz /d/", files={"x.tgz": {"bytes": gzip.compress(archive(SIMPLE), mtime=0)}})
for each in CASES.values():
    if "x.tgz" in each["files"]:
        each["files"]["x.tgz"] = {"bytes": gzip.compress(archive(SIMPLE), mtime=0)}
