#!/usr/bin/env bash
# Builds the services of one job, and pushes their images where the event may.
#
# In, all through the environment: what the runner sets, and the inputs of action.yml in capitals, TARGETS above all.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=ci-adapters/github/messages.sh
source "$here/messages.sh"
# shellcheck source=ci-adapters/github/destination.sh
source "$here/destination.sh"
destination

read -ra targets <<<"${TARGETS:-}"
((${#targets[@]} > 0)) || fail "the input targets names no service: give the matrix's services"
for target in "${targets[@]}"; do
  [[ $target =~ ^[a-z0-9][a-z0-9-]*$ ]] || fail "the input targets holds what is no service's name: $target"
done

arguments=(--no-cache --images "${images:-$trusted_images}" --tag "$tag")
[[ -z $images ]] || arguments+=(--push)
# Where reuse reads: summaries tell what was saved by it.
[[ $images != "$trusted_images" ]] || arguments+=(--record-time)
[[ -z $cache_from ]] || arguments+=(--cache-from "$cache_from")
[[ -z $cache_to ]] || arguments+=(--cache-to "$cache_to")
[[ -z ${BUILDER:-} ]] || arguments+=(--builder "$BUILDER")
[[ -z ${PLATFORMS:-} ]] || arguments+=(--platform "$PLATFORMS")
while IFS= read -r glob; do
  [[ -z $glob ]] || arguments+=(--services "$glob")
done <<<"${SERVICES:-}"
while IFS= read -r argument; do
  [[ -z $argument ]] || arguments+=("$argument")
done <<<"${ARGUMENTS:-}"

exec rebake build "${arguments[@]}" "${targets[@]}"
