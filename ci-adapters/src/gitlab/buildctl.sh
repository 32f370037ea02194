set -eu
printf '%s\n' "$REBAKE_BUILDS" | while IFS='|' read -r service context directory file target platforms key credentials stamped; do
  names="$IMAGES$service:$TAG"
  if [ -n "$key" ]; then names="$names,$IMAGES$service:$key"; fi
  set -- --frontend dockerfile.v0 --local "context=$context" --local "dockerfile=$directory" --opt "filename=$file"
  set -- "$@" --opt "platform=$platforms" --opt "build-arg:SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}"
  set -- "$@" --output "type=image,\"name=$names\",push=true"
  if [ -n "$target" ]; then set -- "$@" --opt "target=$target"; fi
  if [ -n "$stamped" ]; then set -- "$@" --opt "build-arg:VERSION=$VERSION"; fi
  if [ "$credentials" = netrc ]; then set -- "$@" --secret id=netrc,env=NETRC; fi
  if [ "$credentials" = ssh ]; then set -- "$@" --ssh default; fi
  if [ -n "$CACHE_FROM" ]; then set -- "$@" --import-cache "$CACHE_FROM$service"; fi
  if [ -n "$CACHE_TO" ]; then set -- "$@" --export-cache "$CACHE_TO$service,mode=max,ignore-error=true,compression=zstd"; fi
  echo "building $service"
  $REBAKE_BUILDCTL build "$@" </dev/null
done
