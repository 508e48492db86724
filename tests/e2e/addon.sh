#!/usr/bin/env bash
# The addon in a lab that has a Kubernetes with KubeVela: enable, what the service may do, the step's way through a first
# rollout, disable, what stays, enable again, an upgrade of the CustomResourceDefinition, and the Helm chart.
#
#   tests/e2e/addon.sh LAB IMAGE.tar
#
# LAB is the lab's command: `LAB exec`, `push`. IMAGE.tar is the service's image, as an OCI archive.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lab=${1:?usage: tests/e2e/addon.sh LAB IMAGE.tar}
archive=$(realpath "${2:?usage: tests/e2e/addon.sh LAB IMAGE.tar}")
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
image=ghcr.io/image-gitops/image-gitops:$version
crd=imagegitops.image-gitops.dev
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
# KubeVela's controller runs beside the node, which knows no way to Services of its own.
"$lab" exec ip route add 10.43.0.0/16 dev lab0 2>/dev/null || true

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; [ ! -f "$work/out" ] || cat "$work/out" >&2; exit 1; }
ok() { passed=$((passed + 1)); printf 'ok: %s\n' "$*"; }
kubectl() { "$lab" exec kubectl "$@"; }
vela() { "$lab" exec vela "$@"; }
# soon SENTENCE COMMAND...: the command succeeds within a minute
soon() {
  local sentence=$1 n; shift
  for n in $(seq 60); do if "$@" >"$work/out" 2>&1; then ok "$sentence"; return; fi; sleep 1; done
  fail "$sentence"
}
enable() { # FOLDER ARGUMENT...
  local start; start=$(date +%s%N)
  vela addon enable "$@" >"$work/out" 2>&1 || fail "vela addon enable"
  ok "enabled in $(( ($(date +%s%N) - start) / 1000000 )) ms"
}
may() { kubectl auth can-i "$@" --as system:serviceaccount:vela-system:image-gitops 2>/dev/null || true; }
columns() { kubectl get crd "$crd" -o jsonpath='{.spec.versions[0].additionalPrinterColumns[*].name}'; }
# left: what of ours is in vela-system and in the cluster, without the CustomResourceDefinition
left() {
  kubectl get deployment,service,serviceaccount,role,rolebinding,networkpolicy,poddisruptionbudget,traitdefinition,componentdefinition,workflowstepdefinition \
    -n vela-system -o name 2>/dev/null | grep image-gitops || true
  kubectl get clusterrole,clusterrolebinding -o name | grep image-gitops || true
}
nothing_left() { [ -z "$(left)" ] || { left; return 1; }; }
message_of() { vela status "$1" -n "$2" 2>/dev/null | sed -n "/name: $3/,/- id/s/^ *message: //p"; }
step_says() { local told; told=$(message_of "$1" "$2" "$3"); echo "$told"; [[ $told == *"$4"* ]]; }

say "A clean cluster, and $image"
kubectl delete namespace backoffice-dev addon-test --ignore-not-found --wait >/dev/null 2>&1 || true
"$lab" exec helm uninstall image-gitops -n vela-system >/dev/null 2>&1 || true
vela addon disable image-gitops >/dev/null 2>&1 || true
soon "nothing of an earlier run is left" nothing_left
kubectl delete crd "$crd" --ignore-not-found >/dev/null
kubectl delete secret -n vela-system image-gitops-client image-gitops-webhook --ignore-not-found >/dev/null
"$lab" push "$archive" "$image"
ok "pushed"
# A node keeps an image that it has; under the same tag it may be another by now.
vela addon enable "$root/addon/image-gitops" imagePullPolicy=Always >"$work/out" 2>&1 || fail "vela addon enable"
vela addon disable image-gitops >/dev/null
soon "the node has this very image" nothing_left
kubectl delete crd "$crd" >/dev/null
kubectl delete secret -n vela-system image-gitops-client image-gitops-webhook --ignore-not-found >/dev/null

say "Enable, with no parameter"
enable "$root/addon/image-gitops"
[ "$(kubectl get deployment image-gitops -n vela-system -o jsonpath='{.status.readyReplicas}')" = 1 ] || fail "no pod is ready when enable returns"; ok "a pod is ready when enable returns"
kubectl get secret image-gitops-client -n vela-system -o jsonpath='{.data.url}' | base64 -d | grep -qx http://image-gitops.vela-system:8080 || fail "no client Secret"; ok "the service has made its client Secret"
kubectl label --dry-run=server --overwrite namespace vela-system pod-security.kubernetes.io/enforce=restricted >"$work/out" 2>&1
! grep -q image-gitops- "$work/out" || fail "the pod is not restricted"; ok "the pod passes the Pod Security Standard restricted"
[ "$(may get secrets -n default)" = yes ] || fail "may not get Secrets"; ok "it may get a Secret by its name"
for verb in list watch update patch delete; do [ "$(may "$verb" secrets -n default)" = no ] || fail "may $verb Secrets"; done; ok "it may not list, watch, update, patch or delete Secrets"
[ "$(may create secrets -n default)" = no ] || fail "may create Secrets anywhere"; ok "it may create Secrets in its own namespace only"
[ "$(may update applications.core.oam.dev)" = no ] || fail "may update Applications"; ok "it may patch Applications, and not replace them"
[ "$(may create deployments.apps)" = no ] || fail "may create Deployments"; ok "it may not deploy anything"

say "A trait, and a step before the first rollout"
kubectl create namespace addon-test >/dev/null
"$lab" push "$archive" ghcr.io/acme/addon-test:main-abc1234-1627123456
cat >"$work/app.yaml" <<'Y'
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: addon-test}
spec:
  components:
    - name: web
      type: k8s-objects
      properties:
        objects:
          - {apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {image: 'ghcr.io/acme/addon-test:main-abc1234-1627123456'}}
      traits:
        - type: image-gitops
          properties:
            image: ghcr.io/acme/addon-test
            git: {url: 'https://github.com/acme/nowhere', path: shop.yaml}
            target: {path: 'properties.objects[0].data.image'}
  workflow:
    steps:
      - {name: newest-image, type: image-gitops, properties: {component: web}}
      - {name: roll-out, type: deploy, properties: {policies: []}}
Y
kubectl apply -f "$work/app.yaml" >/dev/null
soon "the step goes on: nothing to bring up to date before the first rollout" step_says shop addon-test newest-image "before the first rollout"
soon "the trait has made its ImageGitOps" kubectl get imagegitops shop-web -n addon-test
soon "vela status shows the trait" bash -c "'$lab' exec vela status shop -n addon-test | grep -A3 'Type: image-gitops' | grep -q Message"

say "Disable"
if vela addon disable image-gitops >"$work/out" 2>&1; then fail "disabled while it is used"; fi
grep -q addon-test/shop "$work/out" || fail "does not name the Application"; ok "it refuses while an Application uses it: $(grep -o 'this addon is being used by.*' "$work/out")"
kubectl delete application shop -n addon-test >/dev/null
kubectl apply -f - >/dev/null <<'Y'
apiVersion: image-gitops.dev/v1alpha1
kind: ImageGitOps
metadata: {name: kept, namespace: addon-test}
spec: {image: ghcr.io/acme/addon-test, suspend: true, git: {url: 'https://github.com/acme/nowhere', path: shop.yaml}}
Y
vela addon disable image-gitops >"$work/out" 2>&1 || fail "disable"
soon "nothing runs any more, and no right is left" nothing_left
kubectl get imagegitops kept -n addon-test >/dev/null; ok "an ImageGitOps that somebody wrote is still there"

say "Enable again, twice over"
enable "$root/addon/image-gitops"
vela addon disable image-gitops >/dev/null
soon "disabled" nothing_left
enable "$root/addon/image-gitops" replicas=2
kubectl get poddisruptionbudget image-gitops -n vela-system >/dev/null; ok "two replicas have a PodDisruptionBudget"

say "An upgrade updates the CustomResourceDefinition"
cp -r "$root/addon/image-gitops" "$work/image-gitops"
# A category for kubectl get: the least that can change.
python3 - "$work/image-gitops/resources/image-gitops.dev_imagegitops.yaml" <<'P'
import re, sys
path = sys.argv[1]
text = open(path).read()
text = re.sub(r"\n\s+categories:(?: \[.*\]|(?:\n\s+- .*)+)", "", text)
text, n = re.subn(r"(\n\s+)(kind: ImageGitOps\b)", r"\1categories: [addon-test]\1\2", text, count=1)
assert n == 1, "the CustomResourceDefinition has no names.kind"
open(path, "w").write(text)
P
vela addon upgrade "$work/image-gitops" >"$work/out" 2>&1 || fail "upgrade"
[ "$(kubectl get crd "$crd" -o jsonpath='{.spec.names.categories[0]}')" = addon-test ] || fail "the CustomResourceDefinition is the old one"; ok "the CustomResourceDefinition is the new one"
[ "$(kubectl get deployment image-gitops -n vela-system -o jsonpath='{.spec.replicas}')" = 2 ] || fail "the parameters are lost"; ok "the parameters given before are kept"

say "The Helm chart instead"
vela addon disable image-gitops >/dev/null
soon "the addon is gone" nothing_left
"$lab" exec helm install image-gitops "$root/charts/image-gitops" -n vela-system --wait --take-ownership >"$work/out" 2>&1 || fail "helm install"
ok "installed"
kubectl get traitdefinition image-gitops -n vela-system >/dev/null; ok "its definitions are there"
"$lab" exec helm uninstall image-gitops -n vela-system >"$work/out" 2>&1
soon "uninstalled" nothing_left
kubectl get imagegitops kept -n addon-test >/dev/null; ok "the ImageGitOps is still there"
enable "$root/addon/image-gitops"

vela addon disable image-gitops >/dev/null
kubectl delete namespace addon-test --wait=false >/dev/null
printf '\n%d passed, 0 failed\n' "$passed"
