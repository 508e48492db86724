#!/usr/bin/env bash
# Records docs/session.md: what a user types and sees, from enabling the addon to a rollout that came by itself.
#
#   tests/e2e/session.sh LAB ARCHIVE        (make session LAB=path/to/lab)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
lab=${1:?usage: make session LAB=path/to/lab}
archive=$(realpath "${2:?usage: make session LAB=path/to/lab}")
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
. "$root/tests/e2e/lib.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
page=$work/session.md

k delete applications --all -n "$namespace" --wait --timeout 60s >/dev/null 2>&1 || true
v addon disable image-gitops -y >/dev/null 2>&1 || true
k delete namespace "$namespace" --wait --timeout 120s >/dev/null 2>&1 || true
until_ok 60 "nothing of an earlier run is left" sh -c "! \"$lab\" exec kubectl -n vela-system get application addon-image-gitops"
mkdir -p "$work/repo/kubevela"
cp "$root/docs/examples/backoffice-dev/kubevela/backoffice-dev.yaml" "$work/repo/kubevela/"
fresh "$work/repo"
enable_addon >/dev/null; v addon disable image-gitops >/dev/null # the image and the certificates are in place
until_ok 60 "disabled again" sh -c "! \"$lab\" exec kubectl -n vela-system get deploy image-gitops"

# typed COMMAND: into the page, with what it prints; runs of blanks at line ends are nobody's news
typed() {
  printf '$ %s\n' "$1" >>"$page"
  "$lab" exec env GITHUB_TOKEN=ghp_lab bash -c "cd $work/clone && $1" 2>&1 | sed 's/[[:space:]]*$//; s/\x1b\[[0-9;]*m//g' >>"$page" || fail "$1"
}
text() { printf '%s\n' "$*" >>"$page"; }
open() { printf '\n```console\n' >>"$page"; }
close() { printf '```\n' >>"$page"; }

rm -rf "$work/clone"; g clone -q "$repository" "$work/clone"
python3 - "$work/clone/kubevela/backoffice-dev.yaml" <<'P'
import sys
path = sys.argv[1]
text = open(path).read().rstrip("\n") + """
        - type: image-gitops
          properties:
            tags: {pattern: '^main-[a-f0-9]{7}-(?P<ts>[0-9]+)$', extract: '$ts'}
            git: {url: https://github.com/legolas49/back-dev-bfirstai, path: kubevela/backoffice-dev.yaml, secretRef: {name: github-write-secret}}
"""
open(path, "w").write(text)
P
g -C "$work/clone" -c user.name=ann -c user.email=ann@example.com commit -qam "Keep the image up to date"
g -C "$work/clone" push -q "https://lab:ghp_lab@github.com/legolas49/back-dev-bfirstai" HEAD:main
ln -s "$root/addon" "$work/clone/addon"

text "# A session"
text
text "Recorded by \`make session\` on a node with real pods. The registry and Git server answer to the names of GHCR and GitHub; the"
text "parameter \`caConfigMap\` names their certificate authority, and is not needed for the real ones."
text
text "## Enable the addon"
open; typed "vela addon enable ./addon/image-gitops caConfigMap=lab-ca | head -2"; close
text
text "## An Application with the trait"
text
text "The Secret holds a GitHub token; it serves Git and GHCR alike."
open
typed "kubectl create namespace $namespace"
typed "printf %s \"\$GITHUB_TOKEN\" | kubectl -n $namespace create secret generic github-write-secret --from-file=token=/dev/stdin"
typed "tail -5 kubevela/backoffice-dev.yaml"
typed "kubectl apply -f kubevela/backoffice-dev.yaml"
until_ok 90 "the pods run the first tag" runs "$(tag "$first")"
until_ok 60 "the first look is told" reason_is backoffice-dev-back UpToDate
sleep 2
pods="kubectl get pods -n $namespace -o custom-columns=POD:.metadata.name,IMAGE:.spec.containers[0].image,STATUS:.status.phase"
typed "$pods"
close
text
text "## CI pushes an image"
text
text "A webhook, or the next look within the interval, or this annotation:"
next=$((first + 1)); push_tag "$next"
open
typed "kubectl annotate application backoffice-dev -n $namespace --overwrite fluxcd.io/reconcile=\$(date +%s)"
until_ok 60 "the pods run the next tag" runs "$(tag "$next")"
until_ok 60 "only those are left" sh -c "[ \$(\"$lab\" exec kubectl get pods -n $namespace --no-headers | wc -l) = 1 ]"
typed "$pods"
typed "git pull -q https://github.com/legolas49/back-dev-bfirstai main && git log -1 --format='%h %an: %s'"
typed "git show --format= -U0"
close
text
text "## What KubeVela says"
open
typed "vela ls -n $namespace"
typed "vela status backoffice-dev -n $namespace"
typed "kubectl get ig -n $namespace"
close
text
text "## A person goes back"
open
typed "git -c user.name=ann -c user.email=ann@example.com revert --no-edit HEAD | head -1"
g -C "$work/clone" push -q "https://lab:ghp_lab@github.com/legolas49/back-dev-bfirstai" HEAD:main
typed "kubectl annotate application backoffice-dev -n $namespace --overwrite fluxcd.io/reconcile=\$(date +%s)r"
until_ok 60 "it is held" reason_is backoffice-dev-back Held
until_ok 60 "the pods go back" runs "$(tag "$first")"
typed "kubectl get ig backoffice-dev-back -n $namespace -o jsonpath='{.status.message}{\"\\n\"}'"
typed "kubectl describe application backoffice-dev -n $namespace | sed -n '/^Events/,\$p' | grep -E 'Image|Held|Reason'"
close
k delete application backoffice-dev -n "$namespace" --wait --timeout 90s >/dev/null
v addon disable image-gitops >/dev/null
mv "$page" "$root/docs/session.md"
echo "wrote docs/session.md"
