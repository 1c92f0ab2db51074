"""Complete Dockerfiles of the kind that people have. Go, Python and C++ are real; the other tools are stand-ins (bases/)."""

STANDINS = "docker-image://@REGISTRY@/conformance-standins:1"
TOOLCHAIN = "docker-image://@REGISTRY@/conformance-toolchain:1"
GOLANG = "docker-image://@REGISTRY@/golang:latest"
BUSYBOX = "docker-image://@REGISTRY@/busybox:latest"
ALIASES = {"node:20": STANDINS, "node:20-alpine": STANDINS, "maven:3-eclipse-temurin-21": STANDINS, "eclipse-temurin:21-jre": STANDINS, "gradle:8-jdk21": STANDINS, "rust:1.80": STANDINS, "alpine:3.20": STANDINS, "mcr.microsoft.com/dotnet/sdk:8.0": STANDINS, "mcr.microsoft.com/dotnet/aspnet:8.0": STANDINS,
           "python:3.11-slim": TOOLCHAIN, "gcc:12": TOOLCHAIN, "debian:bookworm-slim": TOOLCHAIN, "golang:1.22": GOLANG, "golang:1.22-alpine": GOLANG, "nginx:1.27-alpine": BUSYBOX, "gcr.io/distroless/static:nonroot": BUSYBOX, "busybox:1.36": BUSYBOX}
BASE = {STANDINS: "standins", TOOLCHAIN: "toolchain", GOLANG: "golang", BUSYBOX: "busybox"}

NODE = {"package.json": '{\n  "name": "app",\n  "dependencies": {\n    "express": "^4.0.0",\n    "pino": "^8.0.0",\n    "jest-dev": "^29.0.0"\n  }\n}\n', "package-lock.json": "{}\n", "src/index.js": "console.log(1)\n", "src/lib/util.js": "exports.x=1\n", "public/index.html": "<html/>\n", "nginx.conf": "server {}\n", "node_modules/old/index.js": "stale", ".dockerignore": "node_modules\n*.log\n.git\n", "debug.log": "noise"}
GO = {"go.mod": "module example.com/app\n\ngo 1.21\n", "main.go": 'package main\n\nimport (\n\t"fmt"\n\t"example.com/app/internal/greet"\n)\n\nvar version = "dev"\n\nfunc main() { fmt.Println(greet.Hello(), version) }\n', "internal/greet/greet.go": 'package greet\n\nfunc Hello() string { return "hello" }\n', "cmd/worker/main.go": "package main\n\nfunc main() { println(1) }\n", "README.md": "x", ".dockerignore": "*.md\n"}
PYTHON = {"requirements.txt": "flask==3.0\n", "app/__init__.py": "", "app/main.py": "def main():\n    print('hi')\n", "app/data/x.json": "{}", "tests/test_main.py": "assert True\n", "entrypoint.sh": {"text": "#!/bin/sh\nexec python3 -m app.main\n", "mode": 0o755}, ".dockerignore": "**/__pycache__\ntests\n"}
JAVA = {"pom.xml": "<project/>\n", "src/main/java/App.java": "class App {}\n", "src/test/java/AppTest.java": "class AppTest {}\n", "build.gradle": "x", "gradlew": {"text": "#!/bin/sh\nexec gradle \"$@\"\n", "mode": 0o755}}
RUST = {"Cargo.toml": '[package]\nname = "tool"\nversion = "0.1.0"\n', "Cargo.lock": "x", "src/main.rs": "fn main() {}\n", "src/lib/mod.rs": "pub fn f() {}\n"}
CXX = {"Makefile": "app: main.o util.o\n\t$(CXX) -o $@ $^\n%.o: %.cc util.h\n\t$(CXX) $(CXXFLAGS) -c $<\ninstall: app\n\tmkdir -p $(DESTDIR)/usr/bin && cp app $(DESTDIR)/usr/bin/\n", "main.cc": '#include "util.h"\n#include <iostream>\nint main() { std::cout << f() << "\\n"; }\n', "util.cc": '#include "util.h"\nint f() { return 42; }\n', "util.h": "int f();\n"}
MONO = {"services/api/main.sh": {"text": "#!/bin/sh\necho api\n", "mode": 0o755}, "services/web/main.sh": {"text": "#!/bin/sh\necho web\n", "mode": 0o755}, "libs/common/lib.sh": "x=1\n", "libs/auth/auth.sh": "y=1\n", "tools/gen.sh": {"text": "#!/bin/sh\necho generated\n", "mode": 0o755}, "package.json": '{"a": "^1"}\n', "services/api/package.json": '{"b": "^1"}\n', "services/web/package.json": '{"c": "^1"}\n', ".dockerignore": "**/*.tmp\n"}

# name: (files, Dockerfile, more)
FILES = {
    "go_two_stages": (GO, """FROM golang:1.22 AS build
WORKDIR /src
COPY go.mod ./
RUN go mod download
COPY . .
ARG VERSION=1.2.3
RUN CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOCACHE=/tmp/cache go build -trimpath -ldflags="-s -w -X main.version=${VERSION}" -o /out/app . && rm -rf /tmp/cache
FROM scratch
COPY --from=build /out/app /app
USER 65532:65532
ENTRYPOINT ["/app"]
""", {}),
    "go_cache_mounts": (GO, """FROM golang:1.22-alpine AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"
RUN --mount=type=bind,source=go.mod,target=go.mod \\
    --mount=type=cache,id=gomod,target=/go/pkg/mod \\
    go mod download
RUN --mount=type=bind,target=. \\
    --mount=type=cache,id=gomod,target=/go/pkg/mod \\
    --mount=type=cache,id=gobuild,target=/root/.cache/go-build \\
    go build -ldflags "-s -w" -o /bin/app . && go build -o /bin/worker ./cmd/worker
FROM gcr.io/distroless/static:nonroot AS app
COPY --from=build /bin/app /usr/local/bin/
ENTRYPOINT ["app"]
FROM gcr.io/distroless/static:nonroot AS worker
COPY --from=build /bin/worker /usr/local/bin/
ENTRYPOINT ["worker"]
""", {"target": "app"}),
    "go_test_stage_skipped": (GO, """FROM golang:1.22 AS base
WORKDIR /src
COPY go.mod .
COPY internal internal
COPY main.go .
FROM base AS test
RUN false
FROM base AS build
RUN GOCACHE=/c CGO_ENABLED=0 go build -trimpath -buildvcs=false -o /app && rm -rf /c
FROM busybox:1.36
COPY --from=build --chown=nobody --chmod=0555 /app /usr/bin/app
HEALTHCHECK --interval=30s --timeout=3s CMD ["/usr/bin/app"]
EXPOSE 8080/tcp
CMD ["app"]
""", {}),
    "go_cross": (GO, """FROM --platform=$BUILDPLATFORM golang:1.22 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY . .
RUN GOCACHE=/c CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -o /app . && rm -rf /c
FROM scratch
COPY --from=build /app /
""", {"platform": "linux/arm64", "base": "scratch"}),
    "go_heredoc_source": ({}, """FROM golang:1.22 AS build
WORKDIR /src
COPY <<EOF go.mod
module x
go 1.21
EOF
COPY <<"EOF" main.go
package main

func main() { println("$HOME") }
EOF
RUN <<EOF
set -eu
export GOCACHE=/c CGO_ENABLED=0
go build -trimpath -buildvcs=false -o /x
rm -rf /c
EOF
FROM scratch
COPY --from=build /x /
""", {"base": "scratch"}),
    "node_production": (NODE, """FROM node:20-alpine AS deps
WORKDIR /app
COPY package*.json ./
RUN npm ci

FROM deps AS build
COPY . .
RUN npm run build && npm prune --production

FROM node:20-alpine
ENV NODE_ENV=production
WORKDIR /app
RUN adduser -D -u 1001 app 2>/dev/null || echo 'app:x:1001:1001::/app:/bin/sh' >> /etc/passwd
COPY --from=build --chown=1001:1001 /app/node_modules ./node_modules
COPY --from=build --chown=1001:1001 /app/dist ./dist
USER 1001
EXPOSE 3000
CMD ["node", "dist/build.js"]
""", {}),
    "node_cache_and_secret": (NODE, """FROM node:20
WORKDIR /usr/src/app
RUN --mount=type=bind,source=package.json,target=package.json \\
    --mount=type=bind,source=package-lock.json,target=package-lock.json \\
    --mount=type=secret,id=npmrc,target=/root/.npmrc \\
    --mount=type=cache,target=/root/.npm,id=npm \\
    grep -q token /root/.npmrc && npm ci --omit=dev
COPY . .
USER daemon
CMD node src/index.js
""", {"secrets": {"npmrc": "token"}}),
    "node_nginx_spa": (NODE, """ARG NODE=20
FROM node:${NODE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN yarn install
COPY src src/
COPY public public/
ENV OUT=build
RUN yarn run build && cp -r public/. build/
FROM nginx:1.27-alpine
COPY --from=build /app/build /usr/share/nginx/html
COPY nginx.conf /etc/nginx/conf.d/default.conf
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
""", {}),
    "node_pnpm_monorepo": (MONO, """FROM node:20 AS base
ENV PNPM_HOME="/pnpm" npm_config_cache=/tmp/npm
ENV PATH="$PNPM_HOME:$PATH"
FROM base AS build
WORKDIR /repo
COPY --parents package.json services/*/package.json ./
RUN for d in . services/*; do (cd $d && pnpm install); done; rm -rf /tmp/npm
COPY . .
FROM base AS api
COPY --from=build /repo/services/api /prod
WORKDIR /prod
CMD ["./main.sh"]
FROM base AS web
COPY --from=build /repo/services/web /prod
WORKDIR /prod
CMD ["./main.sh"]
""", {"target": "api"}),
    "python_app": (PYTHON, """FROM python:3.11-slim
ENV PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONUNBUFFERED=1
WORKDIR /app
COPY requirements.txt .
RUN cat requirements.txt > /installed
COPY . .
RUN python3 -c "import app.main as m; m.main()" > /app/out.txt
ENTRYPOINT ["./entrypoint.sh"]
""", {}),
    "python_compile": (PYTHON, """FROM python:3.11-slim AS build
WORKDIR /src
COPY app app
RUN python3 -c "import compileall; compileall.compile_dir('app', quiet=1, invalidation_mode=__import__('py_compile').PycInvalidationMode.CHECKED_HASH)"
FROM python:3.11-slim
COPY --from=build /src/app /opt/app
ENV PYTHONPATH=/opt
CMD ["python3", "-m", "app.main"]
""", {}),
    "python_script_heredoc": ({"data.csv": "a,b\n1,2\n"}, """FROM python:3.11-slim
COPY data.csv /data/
RUN <<EOF
#!/usr/bin/python3
head, *rows = [line.rstrip("\\n").split(",") for line in open("/data/data.csv")]
open("/data/data.json", "w").write(repr([dict(zip(head, row)) for row in rows]))
EOF
RUN python3 <<EOF > /data/sum
print(sum(range(10)))
EOF
""", {}),
    "python_nonroot_venvlike": (PYTHON, """FROM python:3.11-slim AS base
RUN groupadd --gid 1000 app && useradd --uid 1000 --gid app --create-home --shell /bin/bash app && rm -f /var/log/*log /etc/*-
FROM base
USER app
WORKDIR /home/app/src
COPY --chown=app:app . .
RUN mkdir -p ~/.local/lib && echo ok > ~/.local/lib/x && python3 -B -c "open('made','w').write('x')"
""", {"ignore": ["etc/shadow"]}),  # holds the day on which the base was made
    "java_maven": (JAVA, """FROM maven:3-eclipse-temurin-21 AS build
WORKDIR /build
COPY pom.xml .
RUN mvn -B dependency:go-offline
COPY src ./src
RUN mvn -B package -DskipTests
FROM eclipse-temurin:21-jre
ARG JAR=target/app.jar
COPY --from=build /build/${JAR} /app.jar
VOLUME /tmp
ENTRYPOINT ["java","-jar","/app.jar"]
""", {}),
    "java_layertools": (JAVA, """FROM maven:3-eclipse-temurin-21 AS builder
WORKDIR /application
COPY . .
RUN --mount=type=cache,id=m2,target=/root/.m2 mvn package
RUN java -Djarmode=layertools -jar target/app.jar extract
FROM eclipse-temurin:21-jre
WORKDIR /application
COPY --from=builder /application/dependencies/ ./
COPY --from=builder /application/spring-boot-loader/ ./
COPY --from=builder /application/snapshot-dependencies/ ./
COPY --from=builder /application/application/ ./
ENV JAVA_OPTS=""
ENTRYPOINT exec java $JAVA_OPTS -jar app.jar
""", {}),
    "java_gradle_wrapper": (JAVA, """FROM gradle:8-jdk21 AS b
COPY --chown=1000:1000 . /home/gradle/src
WORKDIR /home/gradle/src
RUN ./gradlew build --no-daemon
FROM eclipse-temurin:21-jre
RUN mkdir /app
COPY --from=b /home/gradle/src/target/*.jar /app/
LABEL org.opencontainers.image.source="https://example.com/x" \\
      org.opencontainers.image.licenses="MIT"
ENTRYPOINT ["java", "-jar", "/app/app.jar"]
""", {}),
    "rust_dummy_main": (RUST, """FROM rust:1.80 AS builder
WORKDIR /usr/src/tool
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo "fn main() {}" > src/main.rs && cargo build --release && rm -rf src target/release/tool
COPY src ./src
RUN cargo build --release
FROM debian:bookworm-slim AS runtime
COPY --from=builder /usr/src/tool/target/release/tool /usr/local/bin
CMD ["tool"]
""", {}),
    "rust_cache_mounts": (RUST, """FROM rust:1.80 AS build
WORKDIR /src
RUN --mount=type=cache,target=/usr/local/cargo/registry,id=cargo-reg \\
    --mount=type=cache,target=/src/target,id=cargo-target,sharing=locked \\
    --mount=type=bind,source=src,target=src \\
    --mount=type=bind,source=Cargo.toml,target=Cargo.toml \\
    <<EOF
set -e
cargo build --release
cp target/release/tool /bin/tool
EOF
FROM scratch AS final
COPY --from=build /bin/tool /tool
""", {"base": "scratch"}),
    "cxx_make": (CXX, """FROM gcc:12 AS build
WORKDIR /src
COPY . .
RUN make CXXFLAGS=-O2 && make install DESTDIR=/stage
FROM debian:bookworm-slim
COPY --from=build /stage/ /
RUN ["app"]
ENTRYPOINT ["/usr/bin/app"]
""", {}),
    "cxx_static": (CXX, """FROM gcc:12 AS build
COPY *.cc *.h /src/
WORKDIR /src
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN g++ -O1 -static -o /app *.cc && /app | tee /out
FROM scratch
COPY --from=build /app /out /
CMD ["/app"]
""", {"base": "scratch", "ignore": ["app"]}),  # the C library of the base's day is in it
    "cxx_debug_release": (CXX, """ARG BUILD=release
FROM gcc:12 AS base
WORKDIR /src
COPY . .
FROM base AS build-debug
ENV CXXFLAGS="-g0 -O0"
FROM base AS build-release
ENV CXXFLAGS="-O2 -DNDEBUG"
FROM build-${BUILD} AS build
RUN make
FROM busybox:1.36
COPY --from=build /src/app /app
""", {"args": {"BUILD": "debug"}}),
    "dotnet": ({"App.csproj": "<Project/>", "Program.cs": "class P {}", "Sub/X.cs": "class X {}"}, """FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build
WORKDIR /source
COPY *.csproj .
RUN dotnet restore
COPY . .
RUN dotnet publish -c Release -o /app --no-restore
FROM mcr.microsoft.com/dotnet/aspnet:8.0
WORKDIR /app
COPY --from=build /app .
ENTRYPOINT ["dotnet", "App.dll"]
""", {}),
    "alpine_packages": ({"start.sh": {"text": "#!/bin/sh\n", "mode": 0o755}}, """FROM alpine:3.20
RUN apk add --no-cache curl ca-certificates tzdata \\
 && apk add --no-cache --virtual .build-deps gcc musl-dev \\
 && echo built > /usr/local/bin/thing \\
 && apk del .build-deps gcc musl-dev
ENV TZ=Europe/Berlin LANG=C.UTF-8
COPY start.sh /
ENTRYPOINT ["/start.sh"]
CMD ["serve"]
""", {}),
    "mono_one_file_many_targets": (MONO, """FROM alpine:3.20 AS base
COPY libs /libs
FROM base AS api-base
COPY services/api /svc
FROM base AS web-base
COPY services/web /svc
FROM api-base AS api-test
RUN /svc/main.sh > /result
FROM web-base AS web-test
RUN /svc/main.sh > /result
FROM scratch AS results
COPY --from=api-test /result /api
COPY --from=web-test /result /web
FROM api-base AS api
CMD ["/svc/main.sh"]
FROM web-base AS web
CMD ["/svc/main.sh"]
""", {"target": "results", "base": "scratch"}),
    "mono_generated": (MONO, """FROM alpine:3.20 AS gen
RUN --mount=source=tools,target=/tools /tools/gen.sh > /generated.txt
FROM alpine:3.20 AS app
WORKDIR /app
COPY --from=gen /generated.txt gen/
COPY --link services/api ./
COPY --link libs/common libs/auth ./lib/
""", {"target": "app"}),
    "mono_named_context": (MONO, """FROM alpine:3.20
COPY --from=shared . /shared/
COPY services/web /app
RUN --mount=from=shared,target=/s cat /s/version > /app/version
""", {"contexts": {"shared": {"version": "7", "lib/x": "x", "skip.tmp": "t", ".dockerignore": "*.tmp\n"}}}),
    "mono_exclude": (MONO, """FROM alpine:3.20
COPY --exclude=**/package.json --exclude=tools . /repo/
COPY --parents services/*/main.sh libs/**/*.sh /flat/
""", {}),
    "supervisor_like": ({"conf/a.conf": "a", "conf/b.conf": "b", "bin/run": {"text": "#!/bin/sh\n", "mode": 0o755}}, """FROM busybox:1.36
LABEL maintainer="ops@example.com" version="1.0" description="multi \\
line"
ENV APP_HOME=/srv/app
ENV PATH=$APP_HOME/bin:$PATH APP_LOG=${APP_HOME}/log
RUN mkdir -p $APP_LOG && chown -R daemon $APP_HOME
WORKDIR $APP_HOME
COPY --chown=daemon conf/*.conf conf/
COPY --chown=daemon:daemon bin bin
VOLUME ["/srv/app/log", "/data"]
USER daemon
HEALTHCHECK --interval=10s --timeout=2s --retries=5 --start-period=1m CMD wget -q -O- localhost:8080 || exit 1
ONBUILD COPY site.conf conf/
EXPOSE 8080 8443/tcp 9000-9002/udp
STOPSIGNAL SIGINT
ENTRYPOINT ["run"]
CMD ["--config", "conf"]
""", {}),
    "old_style": ({"index.html": "<p>"}, """FROM busybox:1.36
MAINTAINER Old Timer <old@example.com>
ENV DEBIAN_FRONTEND noninteractive
ENV WWW /var/www
LABEL vendor ACME
ADD index.html $WWW/
ADD . /all
EXPOSE 80
CMD httpd -f -h $WWW
""", {}),
    "config_files_heredoc": ({}, """FROM busybox:1.36
ARG PORT=8080
COPY <<EOF /etc/app/app.yaml
listen: 0.0.0.0:${PORT}
workers: ${WORKERS:-4}
EOF
COPY --chmod=0755 <<-"EOF" /usr/local/bin/start
\t#!/bin/sh
\tset -e
\texec httpd -f -p "$PORT"
EOF
COPY <<a.conf <<b.conf /etc/app/conf.d/
a=1
a.conf
b=${PORT}
b.conf
RUN <<EOF
set -eux
for i in 1 2 3; do
  echo "line $i" >> /etc/app/lines
done
chmod 600 /etc/app/lines
EOF
ENV PORT=$PORT
CMD ["start"]
""", {}),
    "windows_line_ends": ({"run.cmd": "echo\r\n"}, "FROM busybox:1.36\r\nWORKDIR /app\r\nCOPY . .\r\nRUN echo one && \\\r\n    echo two > two.txt\r\nENV A=1 \\\r\n    B=2\r\nCMD [\"sh\", \"-c\", \"echo $A\"]\r\n", {}),
    "args_everywhere": ({"f": "x"}, """ARG REGISTRY=docker.io/library
ARG IMAGE=busybox
ARG TAG=1.36
FROM ${IMAGE}:${TAG} AS base
ARG USER_ID=1000
ARG GROUP_ID=${USER_ID}
ARG HOME_DIR=/home/u${USER_ID}
RUN echo "u:x:$USER_ID:$GROUP_ID::$HOME_DIR:/bin/sh" >> /etc/passwd && mkdir -p $HOME_DIR && chown $USER_ID:$GROUP_ID $HOME_DIR
FROM base
ARG USER_ID
ARG HOME_DIR
WORKDIR $HOME_DIR
USER u
COPY --chown=${USER_ID} f g${USER_ID:+-set}
LABEL built.by=$USER_ID built.in=${HOME_DIR##*/}
""", {"args": {"USER_ID": "1234"}}),
    "onbuild_framework": ({"app/index.js": "x", "package.json": '{"d": "^1"}\n'}, """FROM node:20 AS framework
WORKDIR /usr/src/app
ONBUILD COPY package.json ./
ONBUILD RUN npm install && rm -rf /root/.npm
ONBUILD COPY app app
CMD ["npm", "start"]
FROM framework
ENV READY=1
""", {}),
    "export_only": (CXX, """FROM gcc:12 AS build
WORKDIR /w
COPY . .
RUN make app
FROM scratch AS export
COPY --from=build /w/app .
COPY --from=build /w/*.o ./obj/
""", {"base": "scratch"}),
    "site_with_permissions": ({"public/a": "1", "public/b/c": "2", "secret.key": {"text": "k", "mode": 0o600}}, """FROM nginx:1.27-alpine
COPY --chmod=u=rwX,go=rX public/ /srv/
COPY --chmod=440 --chown=root:nobody secret.key /etc/ssl/private/
RUN chmod -R o-rwx /srv/b && chown -R nobody:nobody /srv/b && ls -lR /srv | awk '{print $1, $3, $4}' > /perm
""", {}),
    "cleanup_in_layers": ({}, """FROM busybox:1.36
RUN mkdir -p /opt/big/a /opt/big/b && for i in $(seq 50); do echo $i > /opt/big/a/$i; done
RUN rm -rf /opt/big/a && ln -s b /opt/big/a
RUN mv /opt/big /opt/small && rm -f /etc/shadow && touch /opt/small/b/x
RUN rm -rf /opt/small && mkdir /opt/small && echo back > /opt/small/file
""", {}),
    "toolbox_from_many": ({}, """FROM alpine:3.20 AS one
RUN apk add one
FROM busybox:1.36 AS two
RUN echo 2 > /two
FROM busybox:1.36
COPY --from=one /usr/share/apk /apk
COPY --from=two /two /
COPY --from=alpine:3.20 /usr/local/bin/apk /usr/bin/
RUN --mount=from=alpine:3.20,source=/usr/local/bin,target=/tools ls /tools > /list
""", {}),
    "entrypoint_script": ({"docker-entrypoint.sh": {"text": "#!/bin/sh\nset -e\nexec \"$@\"\n", "mode": 0o644}}, """FROM busybox:1.36
COPY docker-entrypoint.sh /usr/local/bin/
RUN chmod +x /usr/local/bin/docker-entrypoint.sh && ln -s usr/local/bin/docker-entrypoint.sh /entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 5432
VOLUME /var/lib/data
CMD ["server"]
""", {}),
    "locale_and_timezone": ({}, """FROM debian:bookworm-slim
ENV LANG=C.UTF-8
RUN ln -snf /usr/share/zoneinfo/UTC /etc/localtime && echo UTC > /etc/timezone
RUN sed -i 's/root:x:0:0:root/root:x:0:0:Root/' /etc/passwd && rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*
WORKDIR /workspace
USER nobody
CMD ["bash", "-l"]
""", {}),
    "patch_base_file": ({"motd": "hello\n", "etc/app/x": "1"}, """FROM debian:bookworm-slim
COPY motd /etc/motd
COPY etc /etc/
RUN set -e; useradd -r svc; rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-; install -d -o svc -g svc -m 0750 /var/lib/svc; sed -i 's/^svc:\\([^:]*\\):[0-9]*/svc:\\1:1/' /etc/shadow
USER svc
""", {"ignore": ["etc/shadow"]}),  # holds the day on which the base was made
}


def base_of(text, more):
    """The base image of the stage that is built."""
    if "base" in more:
        return more["base"]
    names, last, target = {}, "", more.get("target", "")
    for line in text.replace("\r", "").splitlines():
        words = line.split()
        if words and words[0].upper() == "FROM":
            words = [w for w in words if not w.startswith("--")]
            base = names.get(words[1], words[1])
            if len(words) > 3:
                names[words[3]] = base
            last = base
            if target and len(words) > 3 and words[3] == target:
                break
    return "scratch" if last == "scratch" else BASE.get(ALIASES.get(last, ""), "busybox")


# Those of which rebuild.py has a case are recorded there, with what runs again.
REBUILT = ("go_two_stages", "node_production", "python_app", "java_maven", "rust_dummy_main", "cxx_make",
           "mono_one_file_many_targets", "config_files_heredoc")
WHOLE = {}
for name, (files, text, more) in FILES.items():
    used = {alias: image for alias, image in ALIASES.items() if alias.split(":")[0] in text}
    if "${NODE}" in text or "${IMAGE}" in text:
        used.update({"node:20": STANDINS, "busybox:1.36": BUSYBOX})
    WHOLE[name] = {"dockerfile": text, "files": files, "base": base_of(text, more), **more, "contexts": {**used, **more.get("contexts", {})}}
CASES = {name: case for name, case in WHOLE.items() if name not in REBUILT}
