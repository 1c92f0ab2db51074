# The project's images, for people who have a builder of images already (without one: scripts/images.sh makes the same).
#
#   docker build --target operator -t registry.example/stagewright/operator .
#   docker build --target builder  -t registry.example/stagewright/builder .
#   docker build --target empty    -t registry.example/stagewright/empty .
ARG DEBIAN_IMAGE=debian:12

FROM ${DEBIAN_IMAGE} AS build
WORKDIR /src
COPY scripts/build.sh scripts/lib.sh scripts/
# The packages first: they change less often than the sources.
RUN apt-get update && scripts/build.sh --packages-only && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY lib lib
COPY operator operator
COPY builder-pod builder-pod
COPY local local
COPY cli cli
COPY tests/CMakeLists.txt tests/CMakeLists.txt
RUN scripts/build.sh --no-install
COPY scripts/images.sh scripts/images.sh
RUN scripts/images.sh --rootfs /out

FROM scratch AS operator
COPY --from=build /out/operator/ /
USER 65532:65532
ENTRYPOINT ["/stagewright-operator"]

FROM scratch AS builder
COPY --from=build /out/builder/ /
ENV PATH=/usr/bin
ENTRYPOINT ["/stagewright-builder"]

# What FROM scratch runs in: nothing at all.
FROM scratch AS empty
COPY --from=build /out/empty/ /
