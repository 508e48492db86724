#!/usr/bin/env bash
# The mission in a lab with real pods: enable the addon, five lines of a trait, a pushed tag that runs by itself; webhooks,
# the workflow step, outages, and the service killed again and again; then disable.
#
#   tests/e2e/cluster.sh LAB ARCHIVE
#
# ARCHIVE is the container image, as `make image` builds it.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
lab=${1:?usage: make e2e LAB=path/to/lab}
archive=$(realpath "${2:?usage: make e2e LAB=path/to/lab}")
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
. "$root/tests/e2e/lib.sh"
work=$(mktemp -d)
trap '"$lab" hub reset >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

say "a clean cluster, $image and $repository"
k delete applications --all -n "$namespace" --wait --timeout 60s >/dev/null 2>&1 || true
v addon disable image-gitops -y >/dev/null 2>&1 || true
k delete namespace "$namespace" --wait --timeout 120s >/dev/null 2>&1 || true
k wait --for=delete application/addon-image-gitops -n vela-system --timeout 60s >/dev/null 2>&1 || true
mkdir -p "$work/repo/kubevela"
cp "$root/docs/examples/backoffice-dev/kubevela/backoffice-dev.yaml" "$work/repo/kubevela/"
fresh "$work/repo"
ok "the first tag is $(tag "$first")"

say "vela addon enable"
enable_addon
expect "enabled successfully"
shown vela addon status image-gitops
expect "enabled"
until_ok 60 "the service is ready" k -n vela-system rollout status deploy/image-gitops --timeout 1s
pod=$(k -n vela-system get pods -l app.oam.dev/component=image-gitops -o name | head -1)
out=$(k -n vela-system exec "$pod" -- /bin/sh -c id 2>&1 || true)
expect "no such file or directory"

say "an Application with the trait"
k create namespace "$namespace" >/dev/null
printf ghp_lab | k -n "$namespace" create secret generic github-write-secret --from-file=token=/dev/stdin >/dev/null
python3 - "$root/docs/examples/backoffice-dev/kubevela/backoffice-dev.yaml" "$image:$(tag "$first")" >"$work/app.yaml" <<'P'
import re, sys
text = re.sub(r"(image: ).*", r"\g<1>" + sys.argv[2], open(sys.argv[1]).read(), count=1)
print(text.rstrip("\n") + """
        - type: image-gitops
          properties:
            tags: {pattern: '^main-[a-f0-9]{7}-(?P<ts>[0-9]+)$', extract: '$ts'}
            git: {url: https://github.com/legolas49/back-dev-bfirstai, path: kubevela/backoffice-dev.yaml, secretRef: {name: github-write-secret}}
""")
P
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
[ "$(count)" = $((commits + 1)) ] || fail "$(count) commits"; ok "one commit"
until_ok 10 "the status tells the tag" sh -c "\"$lab\" exec kubectl -n $namespace get imagegitops backoffice-dev-back -o jsonpath={.status.tag} | grep -q $(tag "$next")"
shown vela status backoffice-dev -n "$namespace"
expect "$(tag "$next")"
expect "$(tip | cut -c1-7)"
shown vela ls -n "$namespace"
shown kubectl get ig -n "$namespace"
shown kubectl describe application backoffice-dev -n "$namespace"
expect "ImageUpdated"

say "a webhook: from push to commit"
token=$(k -n vela-system get secret image-gitops-webhook -o 'jsonpath={.data.token}' | base64 -d)
service=$(k -n vela-system get service image-gitops -o 'jsonpath={.spec.clusterIP}')
next=$((next + 1)); push_tag "$next"
body=$(printf '{"action":"published","package":{"name":"back-dev-bfirstai","namespace":"legolas49","package_type":"CONTAINER","owner":{"login":"legolas49"},"package_version":{"package_url":"%s:%s","container_metadata":{"tag":{"name":"%s"}}}}}' "$image" "$(tag "$next")" "$(tag "$next")")
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$token" | sed 's/.* //')
shown curl -sS -X POST -H 'Content-Type: application/json' -H 'X-GitHub-Event: package' -H "X-Hub-Signature-256: sha256=$signature" --data-binary "$body" "http://$service:8080/v1/webhooks/ghcr"
expect '"resources":1'
until_ok 5 "Git names $(tag "$next")" in_git "$(tag "$next")"
until_ok 60 "the pods run $(tag "$next")" runs "$(tag "$next")"

say "a person's revert is obeyed"
rm -rf "$work/clone"; g clone -q "$repository" "$work/clone"
g -C "$work/clone" -c user.name=person -c user.email=person@example.com revert --no-edit HEAD >/dev/null
g -C "$work/clone" push -q "https://lab:ghp_lab@github.com/legolas49/back-dev-bfirstai" HEAD:main
k annotate application backoffice-dev -n "$namespace" --overwrite "fluxcd.io/reconcile=revert-$(date +%s%N)" >/dev/null
until_ok 20 "it is held" reason_is backoffice-dev-back Held
until_ok 60 "the pods go back to $(tag $((next - 1)))" runs "$(tag $((next - 1)))"
shown vela status backoffice-dev -n "$namespace"
expect "a person went back from"

say "an outage of ghcr.io and of github.com"
for host in ghcr.io github.com; do
  "$lab" hub fault "{\"host\":\"$host\",\"path\":\".*\",\"reset\":true,\"times\":0}"
  next=$((next + 1))
  [ "$host" = ghcr.io ] || push_tag "$next"
  k annotate application backoffice-dev -n "$namespace" --overwrite "fluxcd.io/reconcile=$host-$(date +%s%N)" >/dev/null
  reason=RegistryUnreachable; [ "$host" = ghcr.io ] || reason=GitUnreachable
  until_ok 90 "the status says $reason" reason_is backoffice-dev-back "$reason"
  shown vela status backoffice-dev -n "$namespace"; expect "$host"
  tr -d " \t" <<<"$out" | grep -q "^Healthy:✅" || fail "the outage makes the Application unhealthy"; ok "the Application is healthy all the same"
  sleep "${OUTAGE:-10}"
  "$lab" hub reset
  [ "$host" = github.com ] || push_tag "$next"
  until_ok 130 "Git names $(tag "$next") by itself" in_git "$(tag "$next")"
  until_ok 60 "the pods run $(tag "$next")" runs "$(tag "$next")"
done

say "the service is killed at any moment of an update, ten times over"
# Slow servers, so that there is a moment: an update takes some two seconds then, and each round kills a little later.
for host in ghcr.io github.com; do "$lab" hub fault "{\"host\":\"$host\",\"path\":\".*\",\"delay_ms\":150,\"times\":0}" >/dev/null; done
for round in $(seq 10); do
  next=$((next + 1)); commits=$(count)
  push_tag "$next"
  leads=$(k -n vela-system get pods -l app.oam.dev/component=image-gitops -o 'jsonpath={.items[0].metadata.name}')
  holds() { [ "$(k -n vela-system get lease image-gitops -o 'jsonpath={.spec.holderIdentity}')" = "$leads" ]; }
  until_ok 60 "round $round: the service polls" holds
  k annotate application backoffice-dev -n "$namespace" --overwrite "fluxcd.io/reconcile=kill-$(date +%s%N)" >/dev/null
  sleep "$(python3 -c "print(0.2 * ($round - 1))")"
  # The process itself, as a node that dies does: a pod that is deleted is told, and ends its pass.
  "$lab" exec pkill -KILL -f '^/image-gitops serve' || fail "no process to kill"
  # The next life in a pod of its own: kubelet waits longer with each crash of the same one.
  k -n vela-system delete pod -l app.oam.dev/component=image-gitops --grace-period=0 --force --wait=false >/dev/null 2>&1
  in_git "$(tag "$next")" && at="after its commit" || at="before its commit"
  until_ok 60 "round $round, killed $at: Git names $(tag "$next")" in_git "$(tag "$next")"
  until_ok 60 "round $round: the pods run it" runs "$(tag "$next")"
  [ "$(count)" = $((commits + 1)) ] || fail "round $round: $(count) commits, not $((commits + 1))"
done
ok "ten updates, ten commits"
"$lab" hub reset
g -C "$LAB_GIT/legolas49/back-dev-bfirstai.git" fsck --strict >/dev/null; ok "git fsck finds nothing"
until_ok 60 "the status is right" reason_is backoffice-dev-back UpToDate

say "two replicas, and a suspended resource"
enable_addon replicas=2
until_ok 60 "two pods are ready" sh -c "[ \"\$(\"$lab\" exec kubectl -n vela-system get deploy image-gitops -o 'jsonpath={.status.readyReplicas}')\" = 2 ]"
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
until_ok 60 "the workflow ended well" sh -c "\"$lab\" exec kubectl -n $namespace get application backoffice-dev -o jsonpath={.status.workflow.status} | grep -q succeeded"
[ "$(count)" = $((commits + 1)) ] || fail "$(count) commits"; ok "one commit"
shown vela status backoffice-dev -n "$namespace"
expect "image-gitops"

say "disable: refused while it is used, then clean"
out=$(v addon disable image-gitops 2>&1 || true); expect "backoffice-dev"
k -n "$namespace" delete application backoffice-dev --wait --timeout 90s >/dev/null
until_ok 60 "the addon is disabled" v addon disable image-gitops
until_ok 60 "the service is gone" sh -c "! \"$lab\" exec kubectl -n vela-system get deploy image-gitops"
out=$(k get crd imagegitops.image-gitops.dev -o name); expect "imagegitops.image-gitops.dev"

printf '\n%d passed, 0 failed\n' "$passed"
