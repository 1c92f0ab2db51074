"""RUN, WORKDIR, USER, VOLUME, mounts and what a layer says about changes."""


def case(body, base="busybox", **more):
    return {"dockerfile": "FROM %s\n%s\n" % (base, body), "files": more.pop("files", {"f": "file", "d/x": "x"}), "base": base, **more}


CASES = {}

# kinds of change: one layer each
BEFORE = "RUN mkdir -p /b/sub && echo 1 > /b/one && echo 2 > /b/sub/two && ln -s one /b/l && ln /b/one /b/h && chmod 4755 /b/sub/two\n"
for kind, body in {
        "create": "echo x > /b/new", "append": "echo x >> /b/one", "truncate": ": > /b/one", "chmod": "chmod 600 /b/one", "chown": "chown 3:4 /b/sub/two",
        "rename": "mv /b/one /b/uno", "rename_directory": "mv /b/sub /b/under", "unlink": "rm /b/one", "unlink_link": "rm /b/l", "remove_directory": "rm -r /b/sub", "remove_all": "rm -r /b",
        "recreate_directory": "rm -r /b/sub && mkdir /b/sub", "recreate_with_file": "rm -r /b/sub && mkdir /b/sub && echo n > /b/sub/three", "recreate_same": "rm -r /b/sub && mkdir /b/sub && echo 2 > /b/sub/two",
        "file_to_directory": "rm /b/one && mkdir /b/one", "directory_to_file": "rm -r /b/sub && echo x > /b/sub", "file_to_link": "ln -sf /tmp /b/one", "link_to_file": "rm /b/l && echo x > /b/l",
        "directory_to_link": "rm -r /b/sub && ln -s /tmp /b/sub", "link_to_directory": "rm /b/l && mkdir /b/l && echo x > /b/l/y", "hard_link": "ln /b/sub/two /b/again", "new_hard_links": "echo x > /n1 && ln /n1 /n2 && ln /n1 /b/n3",
        "create_and_delete": "echo x > /b/t && rm /b/t", "same_mode": "chmod 4755 /b/sub/two", "touch": "touch -d '2001-01-01 00:00:00' /b/one", "nothing": "true", "fifo": "mkfifo /b/p", "device": "mknod /b/c c 1 3 && mknod /b/b b 7 0",
        "socket": "timeout 1 nc -lU /b/s; ls /b", "whiteout_name": "echo x > /b/.wh.odd; true", "tmp": "echo x > /tmp/x", "swap": "mv /b/sub /b/t && mv /b/one /b/sub && mv /b/t /b/one", "base_file": "rm /etc/passwd", "base_directory": "rm -r /root && mkdir /root",
        "mode_of_directory": "chmod 700 /b/sub", "owner_of_directory": "chown 5:6 /b/sub", "sticky": "chmod 1777 /b", "deep": "mkdir -p /b/1/2/3/4 && echo x > /b/1/2/3/4/5", "long_name": "cd /b && echo x > $(printf 'n%.0s' $(seq 1 200))", "non_ascii": "echo x > '/b/käse ☃'",
        "rewrite_link": "ln -sfn two /b/l", "etc_hosts": "echo x >> /etc/hosts; rm /etc/hosts; true", "hostname_file": "echo x > /etc/hostname", "proc_untouched": "ls /proc /sys /dev > /dev/null", "dev_file": "echo x > /dev/shm/x; echo y > /dev/y; true"}.items():
    CASES["change_" + kind] = case(BEFORE + "RUN " + body)
CASES["change_deleted_stays_deleted"] = {"dockerfile": "FROM busybox AS a\n%sRUN rm /b/one\nFROM a\nRUN echo z > /z\n" % BEFORE, "files": {}, "base": "busybox"}
CASES["change_over_three_layers"] = case(BEFORE + "RUN rm -r /b\nRUN mkdir /b && echo 3 > /b/three\nRUN rm /b/three && echo 4 > /b/one")

# the process
for kind, body in {
        "capabilities": "grep ^Cap /proc/self/status > /o", "capabilities_user": "grep ^Cap /proc/self/status > /tmp/o", "hostname": "hostname > /o", "stdin": "cat > /o", "umask": "umask > /o", "pid": "echo $$ > /o",
        "home_root": "echo $HOME > /o", "shm": "df /dev/shm | tail -1 | awk '{print $2}' > /o", "background": "(sleep 30; echo late > /late) & true", "environment": "env | grep -v -e OTEL -e TRACEPARENT | sort > /o", "working_directory": "pwd > /o", "no_new_privs": "grep NoNewPrivs /proc/self/status > /o",
        "readonly_sys": "echo x > /sys/x 2>/dev/null || echo no > /o", "mount_denied": "mount -t tmpfs x /mnt 2>/dev/null || echo no > /o", "exit_code": "exit 7", "not_found": "nosuchprogram", "kill": "kill -9 $$", "false": "false", "pipe": "false | true", "multi_line": "echo a && \\\n  echo b > /o"}.items():
    user = "USER nobody\n" if kind.endswith("_user") else ""
    CASES["process_" + kind] = case(user + "RUN " + body)
CASES["process_exec_form"] = case('RUN ["/bin/busybox", "touch", "/o"]')
CASES["process_exec_not_found"] = case('RUN ["/bin/nosuch"]')
CASES["process_exec_no_expansion"] = case('ENV X=1\nRUN ["/bin/busybox", "touch", "/$X"]')
CASES["process_shell"] = case('SHELL ["/bin/busybox", "ash", "-ec"]\nRUN false; touch /o')
CASES["process_network_none"] = case("RUN --network=none ls /sys/class/net > /o")
CASES["process_entrypoint_ignored"] = case('ENTRYPOINT ["/bin/false"]\nRUN touch /o')
CASES["process_arg_env"] = case("ARG A=1\nENV B=2\nARG C\nRUN env | grep '^[ABC]=' | sort > /o", args={"C": "3"})
CASES["process_scratch"] = case('COPY f /f\nRUN ["/f"]', base="scratch")

# here-documents
for kind, body in {"script": "RUN <<EOF\necho $HOME > /o\nX=1\necho $X >> /o\nEOF", "fails_in_middle": "RUN <<EOF\nfalse\necho x > /o\nEOF", "set_e": "RUN <<EOF\nset -e\nfalse\nEOF", "shebang": "RUN <<EOF\n#!/bin/busybox awk -f\nBEGIN { print 1 > \"/o\" }\nEOF",
                   "command": "RUN cat <<EOF > /o\nhello\nEOF", "two": "RUN cat <<A <<B > /o\na\nA\nb\nB", "quoted": "ARG X=1\nRUN <<'EOF'\necho $X > /o\nEOF", "indented": "RUN <<-EOF\n\techo x > /o\n\tEOF", "shell_name": "RUN sh <<EOF\necho $0 > /o\nEOF"}.items():
    CASES["heredoc_" + kind] = case(body)

# WORKDIR, USER, VOLUME
for kind, body in {"new": "WORKDIR /a/b", "existing": "WORKDIR /tmp", "root": "WORKDIR /", "relative": "WORKDIR /a\nWORKDIR b\nWORKDIR ../c", "user": "USER nobody\nWORKDIR /n/w", "user_name_unknown": "USER ghost\nWORKDIR /n/w", "user_number": "USER 12:34\nWORKDIR /n/w", "through_link": "RUN mkdir /r && ln -s r /l\nWORKDIR /l/x",
                   "variable": "ENV D=/v\nWORKDIR $D/w", "slash": "WORKDIR /a/b/", "file": "RUN touch /f\nWORKDIR /f", "twice": "WORKDIR /a\nWORKDIR /a", "run_makes_it": "ENV X=1\nWORKDIR /q\nRUN rmdir /q\nRUN pwd > /o", "dots": "WORKDIR /a/../b/./c"}.items():
    CASES["workdir_" + kind] = case(body)
for kind, user in {"name": "nobody", "number": "12", "number_group": "12:34", "name_group": "nobody:wheel", "unknown_number": "4711", "unknown_name": "ghost", "unknown_group": "nobody:ghost", "root": "root", "group_number": "daemon:7", "colon": "nobody:"}.items():
    CASES["user_" + kind] = case("USER %s\nRUN id > /tmp/o && echo $HOME >> /tmp/o" % user)
CASES["user_home_set"] = case("ENV HOME=/x\nUSER nobody\nRUN echo $HOME > /tmp/o")
CASES["user_supplementary"] = case("RUN echo 'extra:x:77:nobody' >> /etc/group\nUSER nobody\nRUN id > /tmp/o")
CASES["user_no_passwd"] = case("RUN rm /etc/passwd /etc/group\nUSER 5\nRUN id > /tmp/o; echo $HOME >> /tmp/o")
CASES["user_and_copy"] = case("USER nobody\nCOPY f /x/f\nRUN id -u > /tmp/o")
for kind, body in {"new": "VOLUME /v", "changes_kept": "VOLUME /v\nRUN mkdir -p /v && echo x > /v/f", "json": 'VOLUME ["/a", "/b"]', "copy_into": "VOLUME /v\nCOPY f /v/", "existing": "VOLUME /tmp\nRUN echo x > /tmp/y"}.items():
    CASES["volume_" + kind] = case(body)

# --mount
for kind, body in {
        "bind": "RUN --mount=type=bind,target=/src ls -A /src > /o", "bind_read_only": "RUN --mount=type=bind,target=/src touch /src/x", "bind_rw": "RUN --mount=type=bind,target=/src,rw touch /src/x && ls -A /src > /o", "bind_source": "RUN --mount=source=d,target=/src ls -A /src > /o",
        "bind_file": "RUN --mount=source=f,target=/t/file cat /t/file > /o", "bind_missing": "RUN --mount=source=nope,target=/src true", "bind_owner": "RUN --mount=target=/src stat -c %u:%g /src/f > /o", "bind_relative": "WORKDIR /w\nRUN --mount=target=sub ls sub > /o", "bind_over_existing": "RUN mkdir /x && echo h > /x/hidden\nRUN --mount=target=/x ls /x > /o",
        "bind_deep_target": "RUN --mount=target=/n/e/w ls /n/e/w > /o", "bind_no_target": "RUN --mount=type=bind true", "cache": "RUN --mount=type=cache,target=/c echo x > /c/y", "cache_kept": "RUN --mount=type=cache,target=/c,id=k1 echo x > /c/y\nRUN --mount=type=cache,target=/c2,id=k1 cat /c2/y > /o",
        "cache_mode": "RUN --mount=type=cache,target=/c,id=k2,mode=0711,uid=3,gid=4 stat -c '%a %u:%g' /c > /o", "cache_default_mode": "RUN --mount=type=cache,target=/c,id=k3 stat -c '%a %u:%g' /c > /o", "cache_in_directory": "RUN mkdir /v && echo x > /v/kept\nRUN --mount=type=cache,target=/v/c touch /v/c/a /v/b", "cache_locked": "RUN --mount=type=cache,target=/c,id=k4,sharing=locked touch /c/x",
        "cache_private": "RUN --mount=type=cache,target=/c,id=k5,sharing=private touch /c/x", "cache_read_only": "RUN --mount=type=cache,target=/c,id=k6,ro touch /c/x", "tmpfs": "RUN --mount=type=tmpfs,target=/t echo x > /t/y", "tmpfs_size": "RUN --mount=type=tmpfs,target=/t,size=1m df /t | tail -1 | awk '{print $2}' > /o", "tmpfs_mode": "RUN --mount=type=tmpfs,target=/t stat -c %a /t > /o",
        "secret": "RUN --mount=type=secret,id=s cat /run/secrets/s > /o", "secret_target": "RUN --mount=type=secret,id=s,target=/k/s cat /k/s > /o", "secret_mode": "RUN --mount=type=secret,id=s,mode=0444,uid=3,gid=4 stat -c '%a %u:%g' /run/secrets/s > /o", "secret_default_mode": "RUN --mount=type=secret,id=s stat -c '%a %u:%g' /run/secrets/s > /o",
        "secret_missing": "RUN --mount=type=secret,id=zz ls /run/secrets > /o 2>/dev/null; true", "secret_required": "RUN --mount=type=secret,id=zz,required true", "secret_env": "RUN --mount=type=secret,id=s,env=TOKEN echo $TOKEN > /o", "secret_env_only": "RUN --mount=type=secret,id=s,env=TOKEN ls /run/secrets > /o 2>/dev/null; true", "secret_env_and_file": "RUN --mount=type=secret,id=s,env=TOKEN,target=/k cat /k > /o; echo $TOKEN >> /o",
        "secret_write": "RUN --mount=type=secret,id=s,mode=0666 echo x > /run/secrets/s", "two": "RUN --mount=type=cache,target=/c,id=k7 --mount=type=tmpfs,target=/t touch /c/a /t/b /o", "ssh_missing": "RUN --mount=type=ssh true", "bad_type": "RUN --mount=type=nope,target=/x true", "bad_key": "RUN --mount=type=bind,nope=1,target=/x true"}.items():
    CASES["mount_" + kind] = case(body, secrets={"s": "hush\n"})
CASES["mount_from_stage"] = {"dockerfile": "FROM busybox AS a\nRUN mkdir /s && echo 1 > /s/f\nFROM busybox\nRUN --mount=from=a,source=/s,target=/m cp /m/f /o\n", "files": {}, "base": "busybox"}
CASES["mount_from_stage_rw"] = {"dockerfile": "FROM busybox AS a\nRUN mkdir /s && echo 1 > /s/f\nFROM busybox\nRUN --mount=from=a,source=/s,target=/m,rw echo 2 > /m/f && cp /m/f /o\n", "files": {}, "base": "busybox"}
CASES["mount_from_image"] = case("RUN --mount=from=busybox,target=/m ls /m/etc > /o")
CASES["mount_cache_from"] = {"dockerfile": "FROM busybox AS a\nRUN mkdir /s && echo 1 > /s/f\nFROM busybox\nRUN --mount=type=cache,from=a,source=/s,target=/m,id=k8 cat /m/f > /o\n", "files": {}, "base": "busybox"}
CASES["mount_earlier_only"] = {"dockerfile": "FROM busybox AS a\nRUN --mount=from=b,target=/m true\nFROM busybox AS b\nRUN true\nFROM a\n", "files": {}, "base": "busybox"}
