# syntax=docker/dockerfile:1
ARG GO_VERSION=1.26.8

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=devel
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOFLAGS=-buildvcs=false \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/usherd ./cmd/usherd
RUN mkdir -p /out/state /out/tmp && chmod 1777 /out/tmp

# Nothing but the program, the certificates that it trusts, its state and a place for temporary files.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/state /var/lib/usherd
COPY --from=build /out/usherd /usherd
USER 65532:65532
VOLUME /var/lib/usherd
EXPOSE 9470
ENTRYPOINT ["/usherd"]
CMD ["serve", "-c", "/etc/usherd/usherd.yaml"]
