#!/usr/bin/env bash
# Records docs/session.md: what a user types and sees, from enabling the addon to a rollout that came by itself.
#
#   tests/e2e/session.sh ARCHIVE        (make session LAB=path/to/lab)
. "$(dirname "$0")/lib.sh"
archive=$(realpath "${1:?usage: make session LAB=path/to/lab}")
page=$work/session.md

clean
until_ok 60 "nothing of an earlier run is left" absent -n vela-system application addon-image-gitops
mkdir -p "$work/repo/kubevela"
cp "$root/docs/examples/backoffice-dev/$file" "$work/repo/kubevela/"
fresh "$work/repo"
push_service
enable >/dev/null; v addon disable image-gitops >/dev/null # the image and the certificates are in place
until_ok 60 "disabled again" absent -n vela-system deploy image-gitops
until_ok 60 "and forgotten" absent -n vela-system application addon-image-gitops

# typed COMMAND [LINES]: into the page, with those lines of what it prints; runs of blanks at line ends are nobody's news
typed() {
  printf '$ %s\n' "$1" >>"$page"
  GITHUB_TOKEN=$git_token on bash -c "cd $work/clone && $1" 2>&1 | sed 's/[[:space:]]*$//; s/\x1b\[[0-9;]*m//g' | sed -n "${2:-1,\$}p" >>"$page" || fail "$1"
}
text() { printf '%s\n' "$*" >>"$page"; }
open() { printf '\n```console\n' >>"$page"; }
close() { printf '```\n' >>"$page"; }

clone
with_trait "$work/clone/$file" >"$work/app.yaml"; cp "$work/app.yaml" "$work/clone/$file"
g -C "$work/clone" -c user.name=ann -c user.email=ann@example.com commit -qam "Keep the image up to date"
send
ln -s "$root/addon" "$work/clone/addon"

text "# A session"
text
text "Recorded by \`make session\` on a node with real pods. The registry and Git server answer to the names of GHCR and GitHub; the"
text "parameter \`caConfigMap\` names their certificate authority, and is not needed for the real ones."
text
text "## Enable the addon"
open; typed "vela addon enable ./addon/image-gitops caConfigMap=lab-ca" '1,/enabled successfully/'; close
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
only_one() { [ "$(k get pods -n "$namespace" --no-headers | wc -l)" = 1 ]; }
until_ok 60 "only those are left" only_one
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
send
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
