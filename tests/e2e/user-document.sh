#!/usr/bin/env bash
# The user's document (docs/examples/backoffice-dev/README.md), command by command, with real pods: each runs as it is
# written there and shows what is said there.
#
#   tests/e2e/user-document.sh ARCHIVE
. "$(dirname "$0")/lib.sh"
archive=$(realpath "${1:?usage: make e2e LAB=path/to/lab}")

say "a clean cluster, the addon, and the user's repository"
clean
cp -r "$root/docs/examples/backoffice-dev/." "$work/repo"
# What a user of ghcr.io does not have: an authority of one's own, and the service from elsewhere.
python3 - "$work/repo/kubevela/backoffice-dev-image-gitops.yaml" "${ca:+lab-ca}" "${service_image:+$service_image:$version}" <<'P'
import sys
path, ca, service = sys.argv[1:]
more = "".join(f"        {key}: {value}\n" for key, value in (("caConfigMap", ca), ("serviceImage", service)) if value)
text = open(path).read()
assert "        interval: 2m\n" in text
open(path, "w").write(text.replace("        interval: 2m\n", "        interval: 2m\n" + more, 1))
P
fresh "$work/repo"
push_service
enable >/dev/null; ok "the addon is enabled"
clone
make_namespace "$namespace"
[ -z "$ca" ] || k -n "$namespace" create configmap lab-ca --from-file=ca.crt="$ca" >/dev/null
# in the user's clone, with the user's token
user() {
  pushd "$work/clone" >/dev/null
  printf '$ %s\n' "$1"
  out=$(GITHUB_TOKEN=$git_token on bash -c "$1" 2>&1) || fail "the command failed: $1"
  printf '%s\n' "$out"
  popd >/dev/null
}

say "Installation"
out=$(on env -u GITHUB_TOKEN bash -c "cd $work/clone && ./scripts/create-github-secret.sh" 2>&1 || true)
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
is "the commit's subject is as documented" "🤖 Auto-update image: $image:$(tag "$next")" subject
one_commit "$commits"

say "Monitoring"
user "vela ls -n backoffice-dev"
expect "backoffice-dev-image-gitops"
out=$(on timeout 5 kubectl logs -f deployment/backoffice-dev-image-gitops -n backoffice-dev 2>&1 || true)
tail -3 <<<"$out"; expect "pushed"
user "kubectl describe application backoffice-dev-image-gitops -n backoffice-dev"
expect "ImageUpdated"
expect "$image:$(tag "$next")"
user "vela status backoffice-dev-image-gitops -n backoffice-dev"
expect "$(tag "$next")"

say "Dépannage"
user "kubectl get secret github-write-secret -n backoffice-dev"
expect "github-write-secret"
out=$(on timeout 5 kubectl logs -f -l app.oam.dev/component=image-gitops -n backoffice-dev 2>&1 || true)
tail -1 <<<"$out"; expect "timestamp"
next=$((next + 1)); push_tag "$next"
user 'kubectl annotate application backoffice-dev-image-gitops \
  -n backoffice-dev \
  fluxcd.io/reconcile=$(date +%s)'
until_ok 15 "Git names $(tag "$next") at once" in_git "$(tag "$next")"
until_ok 60 "the pods run $(tag "$next")" runs "$(tag "$next")"

say "what the service of one namespace may do"
account="system:serviceaccount:backoffice-dev:backoffice-dev-image-gitops"
may() { is "$1 $2 in $3: $4" "$4" k auth can-i "$1" "$2" --as "$account" -n "$3"; }
may patch applications.core.oam.dev backoffice-dev yes
may patch applications.core.oam.dev default no
may get secrets/github-write-secret backoffice-dev yes
may get secrets/other backoffice-dev no
may list secrets backoffice-dev no

k delete applications --all -n "$namespace" --wait --timeout 90s >/dev/null
v addon disable image-gitops >/dev/null; ok "the addon is disabled"
end
