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
destination

# What an earlier run left on the runner counts for nothing.
arguments=(--no-cache)
add() {
  if [[ -n $2 ]]; then
    arguments+=("$1" "$2")
  fi
}
while IFS= read -r glob; do
  add --services "$glob"
done <<<"${SERVICES:-}"
add --platform "${PLATFORMS:-}"
add --max-jobs "${MAX_JOBS:-}"
case ${REUSE:-true} in
  true) add --registry "$reused_images" ;;
  false) ;;
  *) fail "the input reuse is neither true nor false: $REUSE" ;;
esac
while IFS= read -r argument; do
  [[ -z $argument ]] || arguments+=("$argument")
done <<<"${ARGUMENTS:-}"

# A shallow clone is deepened until the base is there; in a private repository that takes the token, which stays out of
# the checkout's configuration.
if [[ -n ${TOKEN:-} ]]; then
  header=$(printf 'x-access-token:%s' "$TOKEN" | base64 --wrap=0)
  echo "::add-mask::$header"
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.$GITHUB_SERVER_URL/.extraheader" \
    GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $header"
fi

exec rebake ci github "${arguments[@]}"
