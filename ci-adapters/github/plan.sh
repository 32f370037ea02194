#!/usr/bin/env bash
# Plans, and gives the runner matrix, counts, summary and annotations.
#
# In, all through the environment: what the runner sets, and the inputs of action.yml in capitals. Out: what
# `rebake ci github` writes to $GITHUB_OUTPUT and $GITHUB_STEP_SUMMARY.
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

arguments=()
[[ -z ${MAX_JOBS:-} ]] || arguments+=(--max-jobs "$MAX_JOBS")
[[ -z $reused_images ]] || arguments+=(--registry "$reused_images")

# A shallow clone is deepened until the base is there; in a private repository that takes the token, which stays out of
# the checkout's configuration.
if [[ -n ${TOKEN:-} ]]; then
  header=$(printf 'x-access-token:%s' "$TOKEN" | base64 --wrap=0)
  echo "::add-mask::$header"
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.$GITHUB_SERVER_URL/.extraheader" \
    GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $header"
fi

exec rebake ci github "${chosen[@]}" "${arguments[@]}" "${given[@]}"
