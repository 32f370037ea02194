FROM scratch AS tools
COPY --from=busybox busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]

FROM tools AS golang
COPY --from=goroot . /usr/local/go
COPY --from=certificates ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN mkdir -p /root /go && mkdir -m 1777 /tmp
ENV PATH=/usr/local/go/bin:/bin GOTOOLCHAIN=local GOPATH=/go
WORKDIR /go

# With what every program needs compiled already, as emitted builds compile it: for checks that build many programs.
FROM golang AS warm
RUN GOCACHE=/go/cache go build -trimpath runtime fmt embed os strings

FROM scratch AS static
COPY --from=certificates ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=zones . /usr/share/zoneinfo
COPY passwd /etc/passwd
COPY --chmod=1777 tmp /tmp

FROM static AS debug
COPY --from=busybox busybox /busybox/busybox
RUN ["/busybox/busybox", "--install", "-s", "/busybox"]
ENV PATH=/usr/local/bin:/usr/bin:/bin:/busybox

FROM tools AS alpine
COPY --from=certificates ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=1777 tmp /tmp

# With the machine's C toolchain, for cgo.
FROM scratch AS cgo
COPY --from=toolchain . /
COPY --from=busybox busybox /busybox/busybox
RUN ["/busybox/busybox", "--install", "-s", "/busybox"]
RUN ["/busybox/busybox", "ln", "-s", "/busybox/busybox", "/bin/sh"]
COPY --from=goroot . /usr/local/go
COPY --from=certificates ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PATH=/usr/local/go/bin:/usr/bin:/bin:/busybox GOTOOLCHAIN=local GOPATH=/go
RUN mkdir -p /root /go && mkdir -m 1777 /tmp
WORKDIR /go

FROM static AS base
COPY --from=library . /

FROM debug AS base-debug
COPY --from=library . /
