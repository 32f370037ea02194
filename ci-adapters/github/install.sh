#!/usr/bin/env bash
# Puts rebake on the search path of the steps that follow.
#
# In, all through the environment: BINARY (a rebake to use), VERSION (a released one; the newest that checksums.txt names
# when empty), REBAKE_RELEASES (where released archives are fetched from: a mirror, for closed networks; what is fetched
# must have the sum that checksums.txt names, wherever it comes from).
# Out: $RUNNER_TEMP/rebake-bin/rebake, and that directory in $GITHUB_PATH.
# It never runs what it has not checked, and asks for no token.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=ci-adapters/github/messages.sh
source "$here/messages.sh"

directory=$RUNNER_TEMP/rebake-bin
mkdir -p "$directory"

install_given() {
  [[ -f $BINARY && -x $BINARY ]] || fail "the input binary names no executable file: $BINARY"
  cp -f -- "$BINARY" "$directory/rebake"
}

install_released() {
  local target releases name sum archive
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
    *) fail "there is no released rebake for $(uname -s) on $(uname -m): give the input binary, the path of one" ;;
  esac
  [[ ${VERSION:-} =~ ^[0-9A-Za-z.+-]*$ ]] || fail "the input version is no version: $VERSION"
  name=''
  while read -r line_sum line_name; do
    # Without a version the last line wins: the newest release.
    # shellcheck disable=SC2053 # The star is meant as a pattern.
    if [[ $line_name == v${VERSION:-*}/rebake-$target.tar.gz ]]; then
      sum=$line_sum name=$line_name
    fi
  done < <(grep --invert-match '^#' "$here/checksums.txt")
  if [[ -z $name ]]; then
    grep --quiet '^[0-9a-f]' "$here/checksums.txt" ||
      fail "there is no release of rebake yet that this revision of the action could fetch: build rebake from its sources, and give the input binary, its path (docs/github-actions.md, 'Without a release')"
    fail "this revision of the action knows no released rebake${VERSION:+ $VERSION} for $target: give the input binary, the path of one, or use a revision of the action that follows a release"
  fi
  if [[ -x $directory/rebake && -f $directory/from && $(<"$directory/from") == "$sum $name" ]]; then
    return
  fi
  releases=${REBAKE_RELEASES:-https://github.com/rebake-build/rebake/releases/download}
  archive=$directory/archive.tar.gz
  curl --proto '=https,file' --tlsv1.2 --fail --silent --show-error --location --retry 5 --retry-all-errors \
    --connect-timeout 20 --max-time 300 --output "$archive" -- "$releases/$name" ||
    fail "could not fetch $releases/$name"
  printf '%s  %s\n' "$sum" "$archive" | sha256sum --check --status ||
    fail "$releases/$name has not the SHA-256 that the action knows, $sum: it was not run"
  tar -xzf "$archive" -C "$directory" rebake
  rm -f -- "$archive"
  printf '%s %s' "$sum" "$name" >"$directory/from"
}

if [[ -n ${BINARY:-} ]]; then
  install_given
else
  install_released
fi
"$directory/rebake" --version
printf '%s\n' "$directory" >>"$GITHUB_PATH"
