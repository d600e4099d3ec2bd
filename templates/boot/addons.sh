# shellcheck shell=bash
# --- Addons: what the settings object names is applied by one slot at a time, and again when it changes

ADMIN_KUBECONFIG=/etc/kubernetes/admin.conf
# How long the lease of the slot that applies is good without being renewed, which it is before each addon; longer than any may take.
LEASE_SECONDS=900

# addon_lines: `NAME DIGEST KIND KEY SHA256 [NAMESPACE REPOSITORY CHART VERSION]` for each addon in order. The digest is that of all the
# rest: when it changes, the addon is applied again.
addon_lines() {
  local word name rest
  while read -r word name rest; do
    if [ "$word" = addon ]; then printf '%s %s %s\n' "$name" "$(sha256sum <<< "$rest" | cut -c 1-16)" "$rest"; fi
  done < "$SETTINGS"
}

cluster_kubectl() {
  kubectl --kubeconfig "$ADMIN_KUBECONFIG" --namespace kube-system "$@"
}

# applied_digest NAME: what the cluster remembers of an addon.
applied_digest() {
  cluster_kubectl get configmap kclust-addons --ignore-not-found --output "jsonpath={.data['$1']}"
}

remember_applied() {
  cluster_kubectl create configmap kclust-addons --dry-run=client --output yaml "--from-literal=$1=$2" |
    cluster_kubectl apply --server-side --field-manager "kclust-$1" --filename - > /dev/null
}

# take_lease: whether this slot is the one that applies addons. Kubernetes refuses the write of whoever has not seen the last one.
take_lease() {
  local lease version holder renewed
  lease=$(cluster_kubectl get lease kclust-addons --ignore-not-found \
    --output 'jsonpath={.metadata.resourceVersion} {.spec.holderIdentity} {.spec.renewTime}') || return
  read -r version holder renewed <<< "$lease" || true
  if [ -n "$holder" ] && [ "$holder" != "$INSTANCE_ID" ] &&
    (($(date +%s) - $(date --date "$renewed" +%s) < LEASE_SECONDS)); then
    return 1
  fi
  {
    printf 'apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: kclust-addons, namespace: kube-system'
    if [ -n "$version" ]; then printf ', resourceVersion: "%s"' "$version"; fi
    printf '}\nspec: {holderIdentity: %s, leaseDurationSeconds: %s, renewTime: "%s"}\n' "$INSTANCE_ID" "$LEASE_SECONDS" \
      "$(date --utc +%Y-%m-%dT%H:%M:%S.%6NZ)"
  } | if [ -n "$version" ]; then
    cluster_kubectl replace --filename -
  else
    cluster_kubectl create --filename -
  fi > /dev/null 2>&1
}

# give_lease_back: the next slot need not wait. Another's lease stays.
give_lease_back() {
  if [ "$(cluster_kubectl get lease kclust-addons --ignore-not-found --output 'jsonpath={.spec.holderIdentity}')" = "$INSTANCE_ID" ]; then
    cluster_kubectl delete lease kclust-addons --ignore-not-found > /dev/null || true
  fi
}

# fetch_addon KEY SHA256 FILE: its manifest, or its chart's values.
fetch_addon() {
  s3_get "$1" > "$3" || fail "$1 cannot be read from the state bucket"
  if ! echo "$2  $3" | sha256sum --check --status; then fail "$1 does not have the SHA-256 $2"; fi
}

# apply_manifest FILE: more than once where need be, because the API knows the kinds that a manifest defines only a moment after it
# has them.
apply_manifest() {
  local try output
  for try in 1 2 3 4; do
    # No namespace of ours: kubectl refuses objects that name another one.
    if output=$(kubectl --kubeconfig "$ADMIN_KUBECONFIG" apply --server-side --force-conflicts --field-manager kclust \
      --filename "$1" 2>&1); then return; fi
    if [[ $output != *'no matches for kind'* && $output != *'ensure CRDs are installed'* ]]; then break; fi
    sleep "$try"
  done
  fail "$(summary "$output")"
}

# install_chart NAME VALUES NAMESPACE REPOSITORY CHART VERSION
install_chart() {
  local output source=("$5" --repo "$4")
  if [[ $4 = oci://* ]]; then source=("$4/$5"); fi
  provide_helm
  # A release whose installation was cut off for good; only who holds the lease installs.
  cluster_kubectl --namespace "$3" delete secret --ignore-not-found \
    --selector "owner=helm,name=$1,status in (pending-install,pending-upgrade,pending-rollback)" > /dev/null
  output=$(HELM_CACHE_HOME=/var/cache/kclust/helm HELM_CONFIG_HOME=/var/lib/kclust/helm HELM_DATA_HOME=/var/lib/kclust/helm \
    helm --kubeconfig "$ADMIN_KUBECONFIG" upgrade --install "$1" "${source[@]}" --version "$6" --namespace "$3" --create-namespace \
    --values "$2" --history-max 3 --timeout 10m 2>&1) || fail "$(summary "$output")"
}

# apply_addon NAME KIND KEY SHA256 [NAMESPACE REPOSITORY CHART VERSION]
apply_addon() {
  local file=$RUN_DIR/addon.yaml
  fetch_addon "$3" "$4" "$file"
  case $2 in
    manifest) apply_manifest "$file" ;;
    chart) install_chart "$1" "$file" "${@:5}" ;;
    *) fail "$1 is of a kind that this boot program does not know: $2" ;;
  esac
  rm "$file"
}

# apply_addons: what is new or has changed, in order. One that fails does not stop the others: it is reported, and tried again.
apply_addons() {
  local name digest rest words failed=0
  while read -r name digest rest <&3; do
    read -r -a words <<< "$rest"
    if [ "$(applied_digest "$name")" = "$digest" ]; then
      report_addon "$name" "${words[2]}" applied
      continue
    fi
    if ! take_lease; then fail "another slot has taken the lease for applying addons"; fi
    attempt apply_addon "$name" "${words[@]}"
    if [ "$ATTEMPT" -eq 0 ]; then
      remember_applied "$name" "$digest"
      log "applied the addon $name"
      report_addon "$name" "${words[2]}" applied
    else
      log "the addon $name cannot be applied: $(failure)"
      report_addon "$name" "${words[2]}" failed "$(failure)"
      failed=1
    fi
  done 3< <(addon_lines)
  publish_addons
  forget_removed
  return "$failed"
}

# forget_removed: addons that the settings do not name any more. Their objects stay, but when they come back they are applied.
forget_removed() {
  local name names named
  named=$(addon_lines | cut -d ' ' -f 1)
  # shellcheck disable=SC2016 # the variables are the template's
  names=$(cluster_kubectl get configmap kclust-addons --ignore-not-found \
    --output 'go-template={{range $name, $_ := .data}}{{$name}} {{end}}')
  for name in $names; do
    if ! grep --quiet --fixed-strings --line-regexp "$name" <<< "$named"; then
      cluster_kubectl patch configmap kclust-addons --type json --patch "[{\"op\": \"remove\", \"path\": \"/data/$name\"}]" > /dev/null
      log "the addon $name is not in the spec any more; its objects stay in the cluster"
    fi
  done
}

# report_addon NAME SHA256 STATE [ERROR]: one line of the report.
report_addon() {
  local error=null
  if [ -n "${4:-}" ]; then error=$(json_text "$4"); fi
  printf '{"name": %s, "sha256": "%s", "state": "%s", "error": %s, "since": "%s"}\n' "$(json_text "$1")" "$2" "$3" "$error" "$(now)" \
    >> "$RUN_DIR/addons.new"
}

# publish_addons: the report.
publish_addons() {
  { printf '['; paste --serial --delimiters , "$RUN_DIR/addons.new"; printf ']\n'; } | s3_put control-plane/addons.json || true
  rm "$RUN_DIR/addons.new"
}

# apply_changed_addons: when the settings are not those that were last applied here. After a failure with growing pauses, unless the
# settings have changed since.
apply_changed_addons() {
  local applied=$RUN_DIR/settings.applied failed=$RUN_DIR/settings.failed
  if cmp --quiet "$SETTINGS" "$applied" 2> /dev/null; then return; fi
  if ((SECONDS < ADDONS_AGAIN)) && cmp --quiet "$SETTINGS" "$failed" 2> /dev/null; then return; fi
  if ! take_lease; then return; fi
  rm -f "$RUN_DIR/addons.new"
  attempt apply_addons
  give_lease_back
  if [ "$ATTEMPT" -eq 0 ]; then
    cp "$SETTINGS" "$applied"
    ADDONS_PAUSE=15
  else
    cp "$SETTINGS" "$failed"
    ADDONS_AGAIN=$((SECONDS + ADDONS_PAUSE))
    ADDONS_PAUSE=$((ADDONS_PAUSE < 240 ? ADDONS_PAUSE * 2 : 300))
  fi
}
