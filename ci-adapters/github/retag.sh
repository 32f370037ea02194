#!/usr/bin/env bash
# Gives every image the run's tag, those that were not built too.
#
# In, all through the environment: what the runner sets, and the inputs of action.yml in capitals.
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

if [[ $images != "$trusted_images" ]]; then
  echo "This run pushes nothing to $trusted_images, so no image there gets its tag."
  exit
fi
exec rebake ci retag "${chosen[@]}" --registry "$images" --tag "$tag" "${given[@]}"
