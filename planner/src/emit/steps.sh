#!/bin/sh
# The long steps of the Dockerfiles beside this; written by `rebake generate`.
# It needs a POSIX shell, the usual small tools, and Go.
set -eu
export LC_ALL=C

fail() {
    echo "rebake: $*" >&2
    exit 1
}

# Go and git look for it in the home directory, which not every image names. bake hands on a variable that is not set as an
# empty secret.
if [ -e /root/.netrc ]; then
    [ -s /root/.netrc ] || fail 'the secret netrc is empty; give it to the build, for bake in the variable NETRC'
    export HOME=/root NETRC=/root/.netrc
fi

# The platform that BuildKit builds for, as Go names it.
platform() {
    target=$TARGETOS-$TARGETARCH
    export GOOS="$TARGETOS" GOARCH="$TARGETARCH"
    case "$TARGETARCH/${TARGETVARIANT:-}" in
    arm/v*) export GOARM="${TARGETVARIANT#v}" ;;
    amd64/v*) export GOAMD64="$TARGETVARIANT" ;;
    arm64/v8) TARGETVARIANT= ;;
    arm64/v*) export GOARM64="$TARGETVARIANT" ;;
    esac
    target=$target${TARGETVARIANT:+-$TARGETVARIANT}
    if [ "$CGO_ENABLED" = 1 ] && [ "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" != "$TARGETOS/$TARGETARCH" ]; then
        fail "cgo needs the C toolchain of $TARGETOS/$TARGETARCH, and this Go image is for $(go env GOHOSTOS)/$(go env GOHOSTARCH)"
    fi
}

# The files that Go takes of the packages and of all that they import, the standard library aside.
files_of() {
    go list -deps -f '{{if not .Standard}}{{.Dir}}
{{join .GoFiles "\n"}}
{{join .CgoFiles "\n"}}
{{join .CFiles "\n"}}
{{join .CXXFiles "\n"}}
{{join .MFiles "\n"}}
{{join .HFiles "\n"}}
{{join .FFiles "\n"}}
{{join .SFiles "\n"}}
{{join .SwigFiles "\n"}}
{{join .SwigCXXFiles "\n"}}
{{join .SysoFiles "\n"}}
{{join .EmbedFiles "\n"}}{{end}}' "$@" > /tmp/files
    awk '/^\// { directory = $0; next } NF { print directory "/" $0 }' /tmp/files
}

# The modules that provide the packages of third parties on any of the platforms, a line each, in /tmp/linked.
linked_modules() {
    : > /tmp/modules
    for one in $1; do
        rest=${one#*/}
        GOOS=${one%%/*} GOARCH=${rest%%/*} modules_of >> /tmp/modules
    done
    sort -u /tmp/modules > /tmp/linked
}

modules_of() {
    go list -deps -f '{{with .Module}}{{if not .Main}}{{if not (and .Replace (not .Replace.Version))}}{{.Path}}{{end}}{{end}}{{end}}' \
        $(cat /rebake/imports)
}

# The lines of go.mod for modules, in one order and form.
lines_of() {
    [ $# -gt 0 ] || return 0
    go list -m -f 'require {{.Path}} {{.Version}}{{with .Replace}}
replace {{$.Path}} {{$.Version}} => {{.Path}}{{with .Version}} {{.}}{{end}}{{end}}' "$@" > /tmp/lines
    sort -u /tmp/lines
}

# The lines of checksum files that a go.mod needs.
sums_for() {
    go_mod=$1
    shift
    awk 'NR == FNR { if ($1 == "require") keep[$2 " " $3]; if ($1 == "replace" && NF == 6) keep[$5 " " $6]; next }
        { version = $2; sub(/\/go\.mod$/, "", version) }
        ($1 " " version) in keep' "$go_mod" "$@" | sort -u
}

# What of a go.mod changes a build by itself: its head.
head_of() {
    awk '{ sub(/[ \t]*\/\/.*/, "") }
        /^(godebug|exclude) \($/ { block = $1; next }
        /^\)/ { block = "" }
        block != "" { sub(/^[ \t]+/, ""); if ($0 != "") print block " " $0; next }
        /^(module|go|godebug|exclude) / { print }' "$1"
}

# Removes all of the module cache but the files in a list and small facts about modules. Of a module that was looked into
# in vain the empty directory stays, so that Go does not want it again.
keep_modules() {
    mkdir -p "$GOMODCACHE"
    find "$GOMODCACHE" -type f ! -name '*.mod' ! -name '*.ziphash' |
        awk 'NR == FNR { keep[$0]; next } !($0 in keep)' "$1" - |
        tr '\n' '\0' | xargs -0 rm -f
    find "$GOMODCACHE" -depth -type d ! -name '*@*' -exec rmdir {} + 2> /dev/null || true
    mkdir -p "$GOMODCACHE"
}

# Keeps of the module cache what compiling needs: source files of linked packages, and small facts about modules.
trim_modules() {
    mkdir -p "$GOMODCACHE"
    if [ "$(go env CGO_ENABLED)" = 1 ]; then
        # C files include what Go does not list.
        rm -rf "$GOMODCACHE"/cache/vcs
        find "$GOMODCACHE" -type f -path '*/cache/download/*' -name '*.zip' -exec rm -f {} +
        return
    fi
    { echo "$GOMODCACHE"; files_of $(cat /rebake/imports); } > /tmp/keep
    keep_modules /tmp/keep
}

# The lines of one file that another lacks.
only_in() {
    awk 'FILENAME == ARGV[1] { other[$0]; next } !($0 in other)' "$2" "$1"
}

# Compares the files that Go takes with those that the plan hashed.
prove() {
    [ -e /rebake/inputs ] || return 0
    list=/rebake/inputs
    [ ! -d "$list" ] || list=$list/$target
    files_of "$1" > /tmp/all
    # No list of Go's names the profile of a program.
    profile=$(go list -f '{{.Dir}}' "$1")/default.pgo
    [ ! -e "$profile" ] || echo "$profile" >> /tmp/all
    sed -n 's|^/src/||p' /tmp/all | sort -u > /tmp/taken
    if ! cmp -s /tmp/taken "$list"; then
        only_in /tmp/taken "$list" | sed 's/^/rebake: Go takes a file that the plan does not know: /' >&2
        only_in "$list" /tmp/taken | sed 's/^/rebake: the plan knows a file that Go does not take: /' >&2
        fail 'the plan and Go differ; run rebake generate, and report it if that does not help'
    fi
}

# Nothing of what a stage hands on shows when it was made, so that the same inputs give the same layers.
without_times() {
    find /out -exec touch -h -d @0 {} +
}

step=$1
shift
case "$step" in

# resolve DIRECTORY PLATFORMS [MODULE DIRECTORY]...: go.mod and go.sum, cut to what the service links.
resolve)
    out=/resolved/$1
    platforms=$2
    shift 2
    mkdir -p "$out"
    linked_modules "$platforms"
    head_of go.mod > "$out/go.mod"
    : > /tmp/local
    while [ $# -gt 0 ]; do
        echo "$1" >> /tmp/local
        mkdir -p "/resolved/$2"
        head_of "/src/$2/go.mod" > "/resolved/$2/go.mod"
        shift 2
    done
    lines_of $(cat /tmp/linked /tmp/local) >> "$out/go.mod"
    : > "$out/go.sum"
    [ ! -e go.sum ] || sums_for "$out/go.mod" go.sum > "$out/go.sum"
    # Every cache would carry what was only looked into.
    rm -rf "$GOMODCACHE" "$GOCACHE"
    ;;

# resolve-workspace PLATFORMS: a module that requires what the service links, and what Go must know of other modules.
resolve-workspace)
    mkdir -p /resolved
    linked_modules "$1"
    {
        echo 'module deps'
        awk '/^go / { print "go " $2 }' "$GOWORK"
        lines_of $(cat /tmp/linked)
    } > /resolved/go.mod
    find /src -name go.sum -o -name go.work.sum > /tmp/sums
    sums_for /resolved/go.mod $(cat /tmp/sums) > /resolved/go.sum
    echo "$GOMODCACHE" > /tmp/keep
    keep_modules /tmp/keep
    rm -rf "$GOCACHE"
    ;;

# deps: the packages of others, compiled.
deps)
    platform
    mkdir -p "$GOCACHE" "$GOMODCACHE"
    go build $(cat /rebake/imports)
    trim_modules
    ;;

# sources-of-deps: the packages of others as they are, to be compiled with the tree's own.
sources-of-deps)
    platform
    mkdir -p "$GOCACHE" "$GOMODCACHE"
    go list -deps $(cat /rebake/imports) > /dev/null
    trim_modules
    ;;

# deps-that-stand-alone: the same, where some of these import packages of the tree. Those are left to the build.
deps-that-stand-alone)
    platform
    mkdir -p "$GOCACHE" "$GOMODCACHE"
    go list -e -deps -f '{{if not (or .Error .DepsErrors .Standard)}}{{.ImportPath}}{{end}}' $(cat /rebake/imports) > /tmp/alone
    [ ! -s /tmp/alone ] || go build $(cat /tmp/alone)
    rm -rf "$GOMODCACHE"/cache/vcs
    ;;

# compile PACKAGE: the tree's own packages, so that a new version only links.
compile)
    platform
    [ ! -d /rebake/modules ] || cp -R /rebake/modules/. "$GOMODCACHE/"
    prove "$1"
    mkdir -p /compiled
    (cd "$GOCACHE" && find . -type f) > /tmp/before
    go list -export -deps "$1" > /dev/null
    (cd "$GOCACHE" && find . -type f) > /tmp/after
    only_in /tmp/after /tmp/before | while read -r file; do
        mkdir -p "/compiled/$(dirname "$file")"
        cp "$GOCACHE/$file" "/compiled/$file"
    done
    ;;

# build OUTPUT PACKAGE [VARIABLE LDFLAGS]: the binary, stamped with $VERSION where a variable is named.
build)
    platform
    # What Go must know of the modules of a workspace that are not linked.
    [ ! -d /rebake/modules ] || cp -R /rebake/modules/. "$GOMODCACHE/"
    if [ -d /compiled ]; then
        cp -R /compiled/. "$GOCACHE/"
    else
        prove "$2"
    fi
    mkdir -p "/out$(dirname "$1")"
    if [ $# -gt 2 ]; then
        case "$VERSION" in
        *[\'\"]*) fail 'a version must not hold quotes' ;;
        esac
        go build -ldflags "${4:+$4 }-X '$3=$VERSION'" -o "/out$1" "$2"
    else
        go build -o "/out$1" "$2"
    fi
    without_times
    ;;

# assets DIRECTORY: each file of the list where it belongs, with a mode that does not depend on the checkout.
assets)
    while IFS="$(printf '\t')" read -r mode source destination; do
        mkdir -p "$(dirname "/out$1/$destination")"
        cp -L "/src/$source" "/out$1/$destination"
        chmod "$mode" "/out$1/$destination"
    done < /rebake/assets
    without_times
    ;;

# furniture: what programs expect of a system.
furniture)
    mkdir -p /out/etc/ssl/certs /out/usr/share
    cp -L /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/
    cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /out/usr/share/
    echo 'root:x:0:0:root:/root:/sbin/nologin' > /out/etc/passwd
    echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >> /out/etc/passwd
    echo 'root:x:0:' > /out/etc/group
    echo 'nonroot:x:65532:' >> /out/etc/group
    mkdir -p /out/home/nonroot
    chown 65532:65532 /out/home/nonroot
    mkdir -m 1777 /out/tmp
    without_times
    ;;

# delve MODULE@VERSION: the debugger.
delve)
    platform
    mkdir -p /tmp/delve
    cd /tmp/delve
    export GOWORK=off CGO_ENABLED=0 GOFLAGS=-trimpath
    go mod init delve
    go get -tool "$1"
    go build -o /out/usr/local/bin/dlv "${1%@*}"
    without_times
    ;;

*) fail "there is no step $step" ;;
esac
