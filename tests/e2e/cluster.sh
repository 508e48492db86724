#!/usr/bin/env bash
# The mission with real pods: enable the addon, five lines of a trait, a pushed tag that runs by itself; webhooks, the
# workflow step, outages, and the service killed again and again; then disable.
#
#   tests/e2e/cluster.sh ARCHIVE
#
# ARCHIVE is the container image, as `make image` builds it. Where it is played: see lib.sh.
. "$(dirname "$0")/lib.sh"
archive=$(realpath "${1:?usage: make e2e LAB=path/to/lab}")

say "a clean cluster, $image and $repository"
clean
mkdir -p "$work/repo/kubevela"
cp "$root/docs/examples/backoffice-dev/$file" "$work/repo/kubevela/"
fresh "$work/repo"
push_service
ok "the first tag is $(tag "$first")"

say "vela addon enable"
enable
expect "enabled successfully"
shown vela addon status image-gitops
expect "enabled"
until_ok 60 "the service is ready" k -n vela-system rollout status deploy/image-gitops --timeout 1s
pod=$(k -n vela-system get pods -l app.oam.dev/component=image-gitops -o name | head -1)
out=$(k -n vela-system exec "$pod" -- /bin/sh -c id 2>&1 || true)
expect "no such file or directory"

say "an Application with the trait"
make_namespace "$namespace"
write_secret
with_trait "$work/start/$file" >"$work/app.yaml"
tail -5 "$work/app.yaml"
shown kubectl apply -f "$work/app.yaml"
until_ok 90 "the pods run $(tag "$first")" runs "$(tag "$first")"
until_ok 30 "the first look is told" reason_is backoffice-dev-back UpToDate

say "a pushed tag, and the annotation that asks to look now"
commits=$(count)
next=$((first + 1)); push_tag "$next"
shown kubectl annotate application backoffice-dev -n "$namespace" --overwrite "fluxcd.io/reconcile=$(date +%s)"
until_ok 10 "Git names $(tag "$next")" in_git "$(tag "$next")"
until_ok 60 "the pods run $(tag "$next")" runs "$(tag "$next")"
one_commit "$commits"
until_ok 10 "the status tells the tag" tag_is backoffice-dev-back "$(tag "$next")"
shown vela status backoffice-dev -n "$namespace"
expect "$(tag "$next")"
expect "$(tip | cut -c1-7)"
shown vela ls -n "$namespace"
shown kubectl get ig -n "$namespace"
shown kubectl describe application backoffice-dev -n "$namespace"
expect "ImageUpdated"

say "a webhook: from push to commit"
token=$(k -n vela-system get secret image-gitops-webhook -o 'jsonpath={.data.token}' | base64 -d)
next=$((next + 1)); push_tag "$next"
# The owner and the name, as GitHub has them apart.
owner=${image#*/}; owner=${owner%/*}
body=$(printf '{"action":"published","package":{"name":"back-dev-bfirstai","namespace":"%s","package_type":"CONTAINER","owner":{"login":"%s"},"package_version":{"package_url":"%s:%s","container_metadata":{"tag":{"name":"%s"}}}}}' "$owner" "$owner" "$image" "$(tag "$next")" "$(tag "$next")")
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$token" | sed 's/.* //')
on kubectl -n vela-system port-forward service/image-gitops :8080 >"$work/forward" 2>&1 &
forward=$!
until_ok 20 "the service's port is here" grep -q "Forwarding from 127" "$work/forward"
port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$work/forward")
shown curl -sS -X POST -H 'Content-Type: application/json' -H 'X-GitHub-Event: package' -H "X-Hub-Signature-256: sha256=$signature" --data-binary "$body" "http://127.0.0.1:$port/v1/webhooks/ghcr"
kill "$forward"; wait "$forward" 2>/dev/null || true
expect '"resources":1'
until_ok 5 "Git names $(tag "$next")" in_git "$(tag "$next")"
until_ok 60 "the pods run $(tag "$next")" runs "$(tag "$next")"

say "a person's revert is obeyed"
clone
g -C "$work/clone" revert --no-edit HEAD >/dev/null
send
look_now backoffice-dev
until_ok 20 "it is held" reason_is backoffice-dev-back Held
until_ok 60 "the pods go back to $(tag $((next - 1)))" runs "$(tag $((next - 1)))"
shown vela status backoffice-dev -n "$namespace"
expect "a person went back from"

if [ -n "$faults" ]; then
  say "an outage of ghcr.io and of github.com"
  for host in ghcr.io github.com; do
    fault "{\"host\":\"$host\",\"path\":\".*\",\"reset\":true,\"times\":0}"
    next=$((next + 1))
    # A push goes to the registry: while that is away, CI cannot either.
    [ "$host" = ghcr.io ] || push_tag "$next"
    look_now backoffice-dev
    reason=RegistryUnreachable; [ "$host" = ghcr.io ] || reason=GitUnreachable
    until_ok 90 "the status says $reason" reason_is backoffice-dev-back "$reason"
    shown vela status backoffice-dev -n "$namespace"; expect "$host"
    tr -d " \t" <<<"$out" | grep "^Healthy:✅" >/dev/null || fail "the outage makes the Application unhealthy"; ok "the Application is healthy all the same"
    sleep "${OUTAGE:-10}"
    heal
    [ "$host" = github.com ] || push_tag "$next"
    until_ok 130 "Git names $(tag "$next") by itself" in_git "$(tag "$next")"
    until_ok 60 "the pods run $(tag "$next")" runs "$(tag "$next")"
  done
else
  not_here "an outage of the registry and of the Git host: they are somebody else's, and cannot be taken away"
  next=$((next + 1))
fi

rounds=10
if [ -z "$faults" ]; then
  not_here "the process of the service killed on its node, while registry and Git are slow: there is no way onto the node. Its pod is deleted at once instead"
  rounds=3
fi
say "the service is killed at any moment of an update, $rounds times over"
# Slow servers, so that there is a moment: an update takes some two seconds then, and each round kills a little later.
if [ -n "$faults" ]; then for host in ghcr.io github.com; do fault "{\"host\":\"$host\",\"path\":\".*\",\"delay_ms\":150,\"times\":0}"; done; fi
for round in $(seq "$rounds"); do
  next=$((next + 1)); commits=$(count)
  push_tag "$next"
  leads=$(k -n vela-system get pods -l app.oam.dev/component=image-gitops -o 'jsonpath={.items[0].metadata.name}')
  holds() { [ "$(k -n vela-system get lease image-gitops -o 'jsonpath={.spec.holderIdentity}')" = "$leads" ]; }
  until_ok 60 "round $round: the service polls" holds
  look_now backoffice-dev
  sleep "$(python3 -c "print(0.2 * ($round - 1))")"
  kill_service || fail "no process to kill"
  # The next life in a pod of its own: kubelet waits longer with each crash of the same one.
  k -n vela-system delete pod -l app.oam.dev/component=image-gitops --grace-period=0 --force --wait=false >/dev/null 2>&1
  in_git "$(tag "$next")" && at="after its commit" || at="before its commit"
  until_ok 90 "round $round, killed $at: Git names $(tag "$next")" in_git "$(tag "$next")"
  until_ok 60 "round $round: the pods run it" runs "$(tag "$next")"
  is "round $round: one commit" $((commits + 1)) count
done
heal
g -C "$work/mirror.git" fsck --strict >/dev/null; ok "git fsck finds nothing"
until_ok 60 "the status is right" reason_is backoffice-dev-back UpToDate

say "two replicas"
enable replicas=2
until_ok 60 "two pods are ready" pods_ready 2
out=$(k -n vela-system get poddisruptionbudget image-gitops -o name); expect "poddisruptionbudget"

say "a workflow that waits for the image"
next=$((next + 1)); push_tag "$next"
k -n "$namespace" get application backoffice-dev -o json | python3 -c '
import json, sys
app = json.load(sys.stdin)
app["metadata"] = {"name": "backoffice-dev", "namespace": app["metadata"]["namespace"]}
app.pop("status", None)
app["spec"]["workflow"] = {"steps": [
    {"name": "image", "type": "image-gitops", "properties": {"component": "back"}, "outputs": [{"name": "image", "valueFrom": "result.image"}]},
    {"name": "deploy", "type": "deploy", "properties": {"policies": []}},
]}
print(json.dumps(app))' >"$work/workflow.json"
commits=$(count)
k apply -f "$work/workflow.json" >/dev/null
until_ok 60 "the workflow brought $(tag "$next") into Git" in_git "$(tag "$next")"
until_ok 60 "the pods run it" runs "$(tag "$next")"
succeeded() { [ "$(k -n "$namespace" get application backoffice-dev -o 'jsonpath={.status.workflow.status}')" = succeeded ]; }
until_ok 60 "the workflow ended well" succeeded
one_commit "$commits"
shown vela status backoffice-dev -n "$namespace"
expect "image-gitops"

say "disable: refused while it is used, then clean"
out=$(v addon disable image-gitops 2>&1 || true); expect "backoffice-dev"
k -n "$namespace" delete application backoffice-dev --wait --timeout 90s >/dev/null
until_ok 60 "the addon is disabled" v addon disable image-gitops
until_ok 60 "the service is gone" absent -n vela-system deploy image-gitops
out=$(k get crd imagegitops.image-gitops.dev -o name); expect "imagegitops.image-gitops.dev"

end
