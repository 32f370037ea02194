# shellcheck shell=bash disable=SC2034 # What sources this reads what it sets.
# Says where images and caches go, and on whose word. To be sourced, after messages.sh.
#
# In, all through the environment: what the runner sets, the inputs IMAGES, PULL_REQUEST_IMAGES, REUSE and PROMOTE, and of
# the event DEFAULT_BRANCH, HEAD_REPOSITORY and PULL_REQUEST (its number).
# Out: trusted_images (the prefix that trusted jobs alone write), reused_images (the same where this event may reuse what
# stands there), promoted_images (the prefix whose images this event may take over), images (the prefix of this job; empty:
# push nothing), tag, cache_from and cache_to.
#
# Trusted are the default branch, tags, and what a merge queue tests: nobody gets there without the right to write to the
# repository. An image says what it should hold by its content tag, not who pushed it: so pull requests and other branches
# push to a place of their own, from which nothing is reused, and a pull request from a fork pushes nowhere. PROMOTE lifts
# that for trusted branches: whoever may push any branch then decides what their images hold.

# `ghcr.io/Acme/Shop` becomes `ghcr.io/acme/shop/`: repositories are written in lower case.
prefix() {
  local text=${1,,}
  printf '%s' "${text:+${text%/}/}"
}

destination() {
  trusted_images=$(prefix "${IMAGES:-ghcr.io/$GITHUB_REPOSITORY}")
  [[ $trusted_images =~ ^[a-z0-9._:/-]+$ ]] || fail "the input images is no prefix of image names: $trusted_images"
  local own_images
  own_images=$(prefix "${PULL_REQUEST_IMAGES:-${trusted_images}pull_request}")
  [[ $own_images =~ ^[a-z0-9._:/-]+$ ]] || fail "the input pull-request-images is no prefix of image names: $own_images"
  [[ $own_images != "$trusted_images" ]] ||
    fail "the input pull-request-images is where trusted images stand: $own_images. Pull requests need a place of their own"

  images='' reused_images='' promoted_images='' tag=$GITHUB_SHA cache_to=''
  local may_promote=''
  case ${REUSE:-true} in
    true) reused_images=$trusted_images ;;
    false) ;;
    *) fail "the input reuse is neither true nor false: $REUSE" ;;
  esac
  case ${PROMOTE:-false} in
    true)
      [[ -n $reused_images ]] || fail "the input promote needs reuse: what is taken over would be built all the same"
      may_promote=$own_images
      ;;
    false) ;;
    *) fail "the input promote is neither true nor false: $PROMOTE" ;;
  esac
  # No service is called like this: a service's name has no underscore.
  cache_from=type=registry,ref=${trusted_images}build_cache:
  case $GITHUB_EVENT_NAME in
    pull_request)
      [[ $PULL_REQUEST =~ ^[0-9]+$ ]] || fail "the event says no number of a pull request"
      tag=pr-$PULL_REQUEST
      # The token of a fork, and Dependabot's, writes nothing.
      if [[ $HEAD_REPOSITORY == "$GITHUB_REPOSITORY" && $GITHUB_ACTOR != 'dependabot[bot]' ]]; then
        images=$own_images
      fi
      ;;
    pull_request_target | workflow_run | issue_comment)
      fail "rebake does not build on the event $GITHUB_EVENT_NAME: it would build what anybody proposes, with the rights of the repository. Use pull_request"
      ;;
    merge_group)
      images=$trusted_images promoted_images=$may_promote
      ;;
    *)
      if [[ $GITHUB_REF == refs/tags/* ]]; then
        # What is released is built from its commit alone: nothing is reused, no cache that another run wrote is read.
        images=$trusted_images reused_images='' cache_from=''
        if [[ $GITHUB_REF_NAME =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]]; then
          tag=$GITHUB_REF_NAME
        fi
      elif [[ $GITHUB_EVENT_NAME == schedule || (-n $DEFAULT_BRANCH && $GITHUB_REF == "refs/heads/$DEFAULT_BRANCH") ]]; then
        # A schedule runs on the default branch alone, and its event does not say which that is.
        images=$trusted_images promoted_images=$may_promote
        cache_to=type=registry,ref=${trusted_images}build_cache:
      else
        images=$own_images
      fi
      ;;
  esac
}
