# shellcheck shell=bash disable=SC2034 # What sources this reads what it sets.
# What every command is told. To be sourced, after messages.sh.
#
# In, all through the environment: the inputs SERVICES, PLATFORMS and ARGUMENTS. Out: chosen, the arguments that say what is
# planned, and given, those that the user has added.

chosen_arguments() {
  # What an earlier run left on the runner counts for nothing.
  chosen=(--no-cache) given=()
  [[ -z ${PLATFORMS:-} ]] || chosen+=(--platform "$PLATFORMS")
  local line
  while IFS= read -r line; do
    [[ -z $line ]] || chosen+=(--services "$line")
  done <<<"${SERVICES:-}"
  while IFS= read -r line; do
    [[ -z $line ]] || given+=("$line")
  done <<<"${ARGUMENTS:-}"
}
