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
# shellcheck source=ci-adapters/github/arguments.sh
source "$here/arguments.sh"
destination
chosen_arguments

read -ra targets <<<"${TARGETS:-}"
((${#targets[@]} > 0)) || fail "the input targets names no service: give the matrix's services"
for target in "${targets[@]}"; do
  [[ $target =~ ^[a-z0-9][a-z0-9-]*$ ]] || fail "the input targets holds what is no service's name: $target"
done

arguments=(--images "${images:-$trusted_images}" --tag "$tag")
[[ -z $images ]] || arguments+=(--push)
# Where reuse reads: summaries tell what was saved by it.
[[ $images != "$trusted_images" ]] || arguments+=(--record-time)
[[ -z $cache_from ]] || arguments+=(--cache-from "$cache_from")
[[ -z $cache_to ]] || arguments+=(--cache-to "$cache_to")
[[ -z ${BUILDER:-} ]] || arguments+=(--builder "$BUILDER")

if [[ -n $promoted_images ]]; then
  rebake ci promote "${chosen[@]}" --from "$promoted_images" --registry "$images" --tag "$tag" "${targets[@]}"
  # What was taken over stands there now, and is not built.
  arguments+=(--registry "$images")
fi
exec rebake build "${chosen[@]}" "${arguments[@]}" "${given[@]}" "${targets[@]}"
