# The images: `docker build --target driver` and `docker build --target array`.
#
# Every command runs on the builder's own platform and makes what the target's
# needs, so an image for another platform takes no emulation.
#
# Reproducible: nothing in the images depends on the machine or the day but
# Debian's packages, which are those of the day. Build with --timestamp 0 of
# buildah (without --layers: it names its own, new each time, in the history), or
# with SOURCE_DATE_EPOCH=0 and --output type=image,rewrite-timestamp=true of
# docker buildx.
ARG GO_IMAGE=golang:1.26-bookworm
# What mkfs of this release writes, the kernels of the nodes can mount: a newer
# one may set features that they do not know.
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETARCH
ARG VERSION=devel
ARG GOPROXY
ARG GOFLAGS
WORKDIR /src
COPY go.mod go.sum LICENSE ./
COPY cmd cmd
COPY pkg pkg
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=linux GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/ ./cmd/san-csi ./cmd/san-array \
 && install -D -m 0644 -t /out/root LICENSE \
 && install -d -o 65532 -g 65532 -m 0750 /out/root/data \
 && find /out -exec touch --date=@0 {} +

FROM --platform=$BUILDPLATFORM ${DEBIAN_IMAGE} AS tools
ARG TARGETARCH
COPY hack/image-tree /usr/local/bin/
RUN image-tree ${TARGETARCH} /tree

# The node needs the programs that make, check and mount filesystems, since hosts
# need not have them; iscsiadm is the host's own (--host-root), since it must fit
# the host's iscsid. Authorities are in it, for an array without a caFile; time
# zones are not: nothing asks for one.
FROM scratch AS driver
ARG VERSION=devel
ARG REVISION
LABEL org.opencontainers.image.title="san-csi" \
      org.opencontainers.image.description="CSI driver that gives every PVC a SAN LUN of its own with hard IOPS limits" \
      org.opencontainers.image.source="https://github.com/san-csi/san-csi" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=tools /tree /
COPY --from=build /out/root/LICENSE /LICENSE
COPY --from=build /out/san-csi /usr/local/bin/san-csi
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# The controller's; the node's pod asks for root.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/san-csi"]

FROM scratch AS array
ARG VERSION=devel
ARG REVISION
LABEL org.opencontainers.image.title="san-array" \
      org.opencontainers.image.description="Software array with the Element API, iSCSI and hard QoS" \
      org.opencontainers.image.source="https://github.com/san-csi/san-csi" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# With /data, which a volume of Docker takes its owner and mode from.
COPY --from=build /out/root /
COPY --from=build /out/san-array /san-array
USER 65532:65532
VOLUME /data
EXPOSE 8443 3260
ENTRYPOINT ["/san-array", "--data-dir=/data", "--api-address=:8443"]
