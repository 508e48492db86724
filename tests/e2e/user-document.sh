#!/usr/bin/env bash
# The user's document (docs/examples/backoffice-dev/README.md), command by command, in a lab with real pods: each runs as
# it is written there and shows what is said there.
#
#   tests/e2e/user-document.sh LAB ARCHIVE
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
lab=${1:?usage: make e2e LAB=path/to/lab}
archive=$(realpath "${2:?usage: make e2e LAB=path/to/lab}")
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
. "$root/tests/e2e/lib.sh"
work=$(mktemp -d)
trap '"$lab" hub reset >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
example=$root/docs/examples/backoffice-dev

say "a clean cluster, the addon, and the user's repository"
k delete applications --all -n "$namespace" --wait --timeout 60s >/dev/null 2>&1 || true
k delete namespace "$namespace" --wait --timeout 120s >/dev/null 2>&1 || true
cp -r "$example/." "$work/repo"
# The lab's ghcr.io and github.com are signed by an authority of its own: the one thing that a user does not have.
python3 - "$work/repo/kubevela/backoffice-dev-image-gitops.yaml" "$version" <<'P'
import re, sys
text = open(sys.argv[1]).read()
text = text.replace("        interval: 2m\n", "        interval: 2m\n        caConfigMap: lab-ca\n", 1)
open(sys.argv[1], "w").write(text)
P
fresh "$work/repo"
enable_addon >/dev/null; ok "the addon is enabled"
rm -rf "$work/clone"; g clone -q "$repository" "$work/clone"
k create namespace "$namespace" >/dev/null
k -n "$namespace" create configmap lab-ca --from-file=ca.crt="$LAB_CA" >/dev/null
# in the user's clone, with the user's token
user() {
  pushd "$work/clone" >/dev/null
  shown env GITHUB_TOKEN=ghp_lab bash -c "$1"
  popd >/dev/null
}

say "Installation"
out=$("$lab" exec bash -c "cd $work/clone && ./scripts/create-github-secret.sh" 2>&1 || true)
expect "GITHUB_TOKEN"
user "./scripts/create-github-secret.sh"
user "./scripts/create-github-secret.sh"
user "./scripts/deploy-gitops.sh"
until_ok 90 "the pods run $(tag "$first")" runs "$(tag "$first")"

say "Mise à jour automatique"
until_ok 60 "the first look is told" reason_is backoffice-dev-image-gitops UpToDate
commits=$(count); next=$((first + 1)); push_tag "$next"
started=$(date +%s)
until_ok 150 "within its two minutes Git names $(tag "$next")" in_git "$(tag "$next")"
printf 'seen after %d s\n' $(( $(date +%s) - started ))
until_ok 60 "the pods run $(tag "$next")" runs "$(tag "$next")"
out=$(g -C "$LAB_GIT/legolas49/back-dev-bfirstai.git" log -1 --format=%s main); printf '%s\n' "$out"
expect "🤖 Auto-update image: $image:$(tag "$next")"
[ "$(count)" = $((commits + 1)) ] || fail "$(count) commits"; ok "one commit"

say "Monitoring"
user "vela ls -n backoffice-dev"
expect "backoffice-dev-image-gitops"
out=$("$lab" exec timeout 5 kubectl logs -f deployment/backoffice-dev-image-gitops -n backoffice-dev 2>&1 || true)
tail -3 <<<"$out"; expect "pushed"
user "kubectl describe application backoffice-dev-image-gitops -n backoffice-dev"
expect "ImageUpdated"
expect "$image:$(tag "$next")"
user "vela status backoffice-dev-image-gitops -n backoffice-dev"
expect "$(tag "$next")"

say "Dépannage"
user "kubectl get secret github-write-secret -n backoffice-dev"
expect "github-write-secret"
out=$("$lab" exec timeout 5 kubectl logs -f -l app.oam.dev/component=image-gitops -n backoffice-dev 2>&1 || true)
tail -1 <<<"$out"; expect "timestamp"
next=$((next + 1)); push_tag "$next"
user 'kubectl annotate application backoffice-dev-image-gitops \
  -n backoffice-dev \
  fluxcd.io/reconcile=$(date +%s)'
until_ok 15 "Git names $(tag "$next") at once" in_git "$(tag "$next")"
until_ok 60 "the pods run $(tag "$next")" runs "$(tag "$next")"

say "what the service of one namespace may do"
account="system:serviceaccount:backoffice-dev:backoffice-dev-image-gitops"
may() { [ "$(k auth can-i "$1" "$2" --as "$account" -n "$3" 2>/dev/null)" = "$4" ] || fail "$account: $1 $2 in $3 is not $4"; ok "$1 $2 in $3: $4"; }
may patch applications.core.oam.dev backoffice-dev yes
may patch applications.core.oam.dev default no
may get secrets/github-write-secret backoffice-dev yes
may get secrets/other backoffice-dev no
may list secrets backoffice-dev no

k delete applications --all -n "$namespace" --wait --timeout 90s >/dev/null
v addon disable image-gitops >/dev/null; ok "the addon is disabled"
printf '\n%d passed, 0 failed\n' "$passed"
