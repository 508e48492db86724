#!/usr/bin/env bash
# The addon in a Kubernetes with KubeVela: enable, what the service may do, the step's way through a first rollout, disable,
# what stays, enable again, an upgrade of the CustomResourceDefinition, and the Helm chart.
#
#   tests/e2e/addon.sh ARCHIVE
. "$(dirname "$0")/lib.sh"
archive=$(realpath "${1:?usage: make e2e LAB=path/to/lab}")
crd=imagegitops.image-gitops.dev
shop=$(dirname "$image")/addon-test

account=system:serviceaccount:vela-system:image-gitops
# may SENTENCE yes|no VERB RESOURCE ARGUMENT...
may() { local sentence=$1 want=$2; shift 2; is "$sentence" "$want" k auth can-i "$@" --as "$account"; }
# left: what of ours is in vela-system and in the cluster, without the CustomResourceDefinition
left() {
  k get deployment,service,serviceaccount,role,rolebinding,networkpolicy,poddisruptionbudget,traitdefinition,componentdefinition,workflowstepdefinition \
    -n vela-system -o name 2>/dev/null | grep image-gitops || true
  k get clusterrole,clusterrolebinding -o name | grep image-gitops || true
}
nothing_left() { [ -z "$(left)" ]; }
message_of() { v status "$1" -n "$2" 2>/dev/null | sed -n "/name: $3/,/- id/s/^ *message: //p"; }
step_says() { [[ $(message_of "$1" "$2" "$3") == *"$4"* ]]; }
trait_is_shown() { v status shop -n addon-test | grep -A3 'Type: image-gitops' | grep Message; }
forget() {
  k delete crd "$crd" --ignore-not-found >/dev/null
  k delete secret -n vela-system image-gitops-client image-gitops-webhook --ignore-not-found >/dev/null
}

# In a lab, with no parameter at all.
bare() { shown vela addon enable "$root/addon/image-gitops" ${service_image:+"image=$service_image:$version"} "$@"; }

say "A clean cluster, and the service's image"
clean
k delete namespace addon-test --ignore-not-found --wait >/dev/null
on helm uninstall image-gitops -n vela-system >/dev/null 2>&1 || true
until_ok 60 "nothing of an earlier run is left" nothing_left
forget
push_service
ok "pushed"
# A node keeps an image that it has; under the same tag it may be another by now.
bare imagePullPolicy=Always >/dev/null
v addon disable image-gitops >/dev/null
until_ok 60 "the node has this very image" nothing_left
forget

say "Enable"
bare
is "a pod is ready when enable returns" 1 k get deployment image-gitops -n vela-system -o 'jsonpath={.status.readyReplicas}'
client() { k get secret image-gitops-client -n vela-system -o 'jsonpath={.data.url}' | base64 -d; }
is "the service has made its client Secret" http://image-gitops.vela-system:8080 client
quietly kubectl label --dry-run=server --overwrite namespace vela-system pod-security.kubernetes.io/enforce=restricted
! grep image-gitops- <<<"$out" >/dev/null || fail "the pod is not restricted"; ok "the pod passes the Pod Security Standard restricted"
may "it may get a Secret by its name" yes get secrets -n default
for verb in list watch update patch delete; do may "it may not $verb Secrets" no "$verb" secrets -n default; done
may "it may create Secrets in its own namespace only" no create secrets -n default
may "it may patch Applications, and not replace them" no update applications.core.oam.dev
may "it may not deploy anything" no create deployments.apps

say "A trait, and a step before the first rollout"
make_namespace addon-test
push "$archive" "$shop:main-abc1234-1627123456"
cat >"$work/app.yaml" <<Y
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: addon-test}
spec:
  components:
    - name: web
      type: k8s-objects
      properties:
        objects:
          - {apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {image: '$shop:main-abc1234-1627123456'}}
      traits:
        - type: image-gitops
          properties:
            image: $shop
            git: {url: 'https://github.com/acme/nowhere', path: shop.yaml}
            target: {path: 'properties.objects[0].data.image'}
  workflow:
    steps:
      - {name: newest-image, type: image-gitops, properties: {component: web}}
      - {name: roll-out, type: deploy, properties: {policies: []}}
Y
k apply -f "$work/app.yaml" >/dev/null
until_ok 60 "the step goes on: nothing to bring up to date before the first rollout" step_says shop addon-test newest-image "before the first rollout"
until_ok 60 "the trait has made its ImageGitOps" k get imagegitops shop-web -n addon-test
until_ok 60 "vela status shows the trait" trait_is_shown

say "Disable"
if out=$(v addon disable image-gitops 2>&1); then fail "disabled while it is used"; fi
expect "addon-test/shop"
k delete application shop -n addon-test >/dev/null
k apply -f - >/dev/null <<Y
apiVersion: image-gitops.dev/v1alpha1
kind: ImageGitOps
metadata: {name: kept, namespace: addon-test}
spec: {image: $shop, suspend: true, git: {url: 'https://github.com/acme/nowhere', path: shop.yaml}}
Y
quietly vela addon disable image-gitops
until_ok 60 "nothing runs any more, and no right is left" nothing_left
k get imagegitops kept -n addon-test >/dev/null; ok "an ImageGitOps that somebody wrote is still there"

say "Enable again, twice over"
bare
v addon disable image-gitops >/dev/null
until_ok 60 "disabled" nothing_left
bare replicas=2
k get poddisruptionbudget image-gitops -n vela-system >/dev/null; ok "two replicas have a PodDisruptionBudget"

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
quietly vela addon upgrade "$work/image-gitops"
is "the CustomResourceDefinition is the new one" addon-test k get crd "$crd" -o 'jsonpath={.spec.names.categories[0]}'
is "the parameters given before are kept" 2 k get deployment image-gitops -n vela-system -o 'jsonpath={.spec.replicas}'

say "The Helm chart instead"
v addon disable image-gitops >/dev/null
until_ok 60 "the addon is gone" nothing_left
values=(--set image.pullPolicy=Always)
[ -z "$service_image" ] || values+=(--set "image.repository=$service_image,image.tag=$version")
quietly helm install image-gitops "$root/charts/image-gitops" -n vela-system --wait --take-ownership "${values[@]}"
ok "installed"
k get traitdefinition image-gitops -n vela-system >/dev/null; ok "its definitions are there"
quietly helm uninstall image-gitops -n vela-system
until_ok 60 "uninstalled" nothing_left
k get imagegitops kept -n addon-test >/dev/null; ok "the ImageGitOps is still there"
bare

v addon disable image-gitops >/dev/null
k delete namespace addon-test --wait=false >/dev/null
end
