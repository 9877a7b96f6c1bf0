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
ENV USHERD_CONFIG=/etc/usherd/usherd.yaml
VOLUME /var/lib/usherd
# Health and metrics, and the door for SCIM; where they are reached from is up to the configuration.
EXPOSE 9470 9471
# There is no shell and no curl: the program asks itself.
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["/usherd", "healthcheck"]
ENTRYPOINT ["/usherd"]
CMD ["serve"]
