# Two images from one build: `docker build --target driver` and `--target array`.
ARG GO_IMAGE=golang:1.26-bookworm
ARG NODE_IMAGE=debian:bookworm-slim

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=devel
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY pkg pkg
ENV CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH}
RUN go build -trimpath -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/ ./cmd/san-csi ./cmd/san-array

# The node needs the tools that make and check filesystems; iscsiadm is the
# host's own (--host-root), since it must fit the host's iscsid.
FROM ${NODE_IMAGE} AS driver
RUN apt-get update \
 && apt-get install -y --no-install-recommends e2fsprogs xfsprogs btrfs-progs util-linux mount \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=build /out/san-csi /usr/local/bin/san-csi
ENTRYPOINT ["/usr/local/bin/san-csi"]

FROM scratch AS array
COPY --from=build /out/san-array /san-array
USER 65532:65532
VOLUME /data
EXPOSE 443 3260
ENTRYPOINT ["/san-array", "--data-dir=/data"]
