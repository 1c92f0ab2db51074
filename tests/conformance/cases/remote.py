"""Sections 6.12 and 6.13 of the language: ADD of URLs and of git repositories. `@HTTP@` is the test's own server."""
import hashlib
import io
import tarfile


def archive():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo("in/f")
        member.size, member.mtime, member.uid, member.mode = 4, 900_000_000, 5, 0o640
        tar.addfile(member, io.BytesIO(b"text"))
    return out.getvalue()


OLD = {"Last-Modified": "Fri, 02 Jan 2004 03:04:05 GMT"}
PAGES = {"/file.txt": {"body": "content", "headers": OLD}, "/undated": {"body": "undated"}, "/a/b/deep.bin": {"body": b"\0\1", "headers": OLD}, "/x.tar": {"body": archive(), "headers": OLD}, "/dir/": {"body": "index", "headers": OLD}, "/": {"body": "root", "headers": OLD},
         "/moved": {"status": 302, "headers": {"Location": "/file.txt"}}, "/twice": {"status": 301, "headers": {"Location": "/moved"}}, "/gone": {"status": 410}, "/broken": {"status": 500}, "/file.txt?a=b": {"body": "query", "headers": OLD}, "/sp%20ace": {"body": "blank", "headers": OLD}, "/named": {"body": "n", "headers": {**OLD, "Content-Disposition": 'attachment; filename="given.txt"'}}, "/empty": {"body": "", "headers": OLD}}
SUM = "sha256:" + hashlib.sha256(b"content").hexdigest()

CASES = {}
for name, body in {
        "to_directory": "ADD http://@HTTP@/file.txt /d/", "to_name": "ADD http://@HTTP@/file.txt /d", "to_existing": "ADD http://@HTTP@/file.txt /tmp", "undated": "ADD http://@HTTP@/undated /d/", "deep": "ADD http://@HTTP@/a/b/deep.bin /d/", "archive_kept": "ADD http://@HTTP@/x.tar /d/", "archive_unpack": "ADD --unpack http://@HTTP@/x.tar /d/", "archive_unpack_chown": "ADD --unpack=true --chown=3:4 http://@HTTP@/x.tar /d/", "unpack_no_archive": "ADD --unpack http://@HTTP@/file.txt /d/", "directory_url": "ADD http://@HTTP@/dir/ /d/", "root_url": "ADD http://@HTTP@/ /d/", "root_url_no_slash": "ADD http://@HTTP@ /d/", "redirect": "ADD http://@HTTP@/moved /d/", "redirect_twice": "ADD http://@HTTP@/twice /d/",
        "not_found": "ADD http://@HTTP@/nope /d/", "gone": "ADD http://@HTTP@/gone /d/", "query": "ADD http://@HTTP@/file.txt?a=b /d/", "fragment": "ADD http://@HTTP@/file.txt#frag /d/", "escaped": "ADD http://@HTTP@/sp%20ace /d/", "disposition": "ADD http://@HTTP@/named /d/", "empty": "ADD http://@HTTP@/empty /d/", "variable": "ARG F=file\nADD http://@HTTP@/$F.txt /d/", "several": "ADD http://@HTTP@/file.txt http://@HTTP@/undated f /d/", "chown": "ADD --chown=3:4 http://@HTTP@/file.txt /d/", "chmod": "ADD --chmod=755 http://@HTTP@/file.txt /d/", "chmod_symbolic": "ADD --chmod=a+rx http://@HTTP@/file.txt /d/", "link": "ADD --link http://@HTTP@/file.txt /d/", "checksum": "ADD --checksum=%s http://@HTTP@/file.txt /d/" % SUM,
        "checksum_wrong": "ADD --checksum=sha256:%s http://@HTTP@/file.txt /d/" % ("0" * 64), "checksum_bad": "ADD --checksum=md5:0 http://@HTTP@/file.txt /d/", "checksum_no_algorithm": "ADD --checksum=abc http://@HTTP@/file.txt /d/", "checksum_several": "ADD --checksum=%s http://@HTTP@/file.txt http://@HTTP@/undated /d/" % SUM, "checksum_local": "ADD --checksum=%s f /d/" % SUM, "checksum_variable": "ARG S=%s\nADD --checksum=$S http://@HTTP@/file.txt /d/" % SUM, "exclude": "ADD --exclude=file.txt http://@HTTP@/file.txt /d/", "onto_link": "RUN echo x > /r && ln -s r /l\nADD http://@HTTP@/file.txt /l", "user": "USER 9\nADD http://@HTTP@/file.txt /d/", "json": 'ADD ["http://@HTTP@/file.txt", "/d/"]', "refused_connection": "ADD http://127.0.0.1:1/x /d/", "workdir": "WORKDIR /w\nADD http://@HTTP@/file.txt x", "copy": "COPY http://@HTTP@/file.txt /d/"}.items():
    CASES["url_" + name] = {"dockerfile": "FROM busybox\n" + body + "\n", "files": {"f": "file"}, "base": "busybox", "http": PAGES}

COMMITS = [{"files": {"README": "one", "src/main.c": "int main;", "run.sh": "#!/bin/sh"}, "tag": "v1"}, {"files": {"README": "two"}, "branch": "side"}, {"files": {"README": "three", "new": "n"}, "branch": "main"}]
for name, body in {
        "default": "ADD http://@HTTP@/repo.git /d/", "tag": "ADD http://@HTTP@/repo.git#v1 /d/", "branch": "ADD http://@HTTP@/repo.git#side /d/", "subdir": "ADD http://@HTTP@/repo.git#v1:src /d/", "subdir_only": "ADD http://@HTTP@/repo.git#:src /d/", "query_tag": "ADD http://@HTTP@/repo.git?tag=v1 /d/", "query_branch": "ADD http://@HTTP@/repo.git?branch=side /d/", "query_ref": "ADD http://@HTTP@/repo.git?ref=v1&subdir=src /d/", "query_mtime_commit": "ADD http://@HTTP@/repo.git?tag=v1&mtime=commit /d/", "query_mtime_checkout": "ADD http://@HTTP@/repo.git?tag=v1&mtime=checkout /d/", "query_mtime_bad": "ADD http://@HTTP@/repo.git?mtime=now /d/", "query_bad": "ADD http://@HTTP@/repo.git?nope=1 /d/", "query_twice": "ADD http://@HTTP@/repo.git?tag=v1&tag=v2 /d/", "query_no_value": "ADD http://@HTTP@/repo.git?tag /d/", "query_conflict": "ADD http://@HTTP@/repo.git?ref=v1#side /d/", "query_branch_tag": "ADD http://@HTTP@/repo.git?branch=side&tag=v1 /d/", "query_subdir_conflict": "ADD http://@HTTP@/repo.git?subdir=a#v1:src /d/", "query_keep_bad": "ADD http://@HTTP@/repo.git?keep-git-dir=maybe /d/",
        "missing_ref": "ADD http://@HTTP@/repo.git#nope /d/", "missing_subdir": "ADD http://@HTTP@/repo.git#v1:nope /d/", "no_slash": "ADD http://@HTTP@/repo.git#v1 /d", "chown": "ADD --chown=3:4 http://@HTTP@/repo.git#v1 /d/", "chmod": "ADD --chmod=700 http://@HTTP@/repo.git#v1 /d/", "exclude": "ADD --exclude=src http://@HTTP@/repo.git#v1 /d/", "link": "ADD --link http://@HTTP@/repo.git#v1 /d/", "keep_conflict": "ADD --keep-git-dir=true http://@HTTP@/repo.git?keep-git-dir=false /d/", "checksum_wrong": "ADD --checksum=0000000 http://@HTTP@/repo.git#v1 /d/", "existing": "RUN mkdir -m 700 /d && touch /d/kept\nADD http://@HTTP@/repo.git#v1 /d/", "copy": "COPY http://@HTTP@/repo.git /d/", "unpack": "ADD --unpack http://@HTTP@/repo.git#v1 /d/", "with_file": "ADD http://@HTTP@/repo.git#v1 f /d/"}.items():
    CASES["git_" + name] = {"dockerfile": "FROM busybox\n" + body + "\n", "files": {"f": "file"}, "base": "busybox", "git": COMMITS}
