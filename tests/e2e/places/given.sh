# Any cluster with KubeVela that KUBECONFIG names, any registry and any Git host. kubectl, vela, helm, git, curl and openssl
# are on PATH.
: "${KUBECONFIG:?name a cluster with KubeVela, or a lab: make e2e LAB=path/to/lab}"
: "${E2E_REGISTRY:?below which name images are pushed: E2E_REGISTRY=ghcr.io/OWNER. The nodes of the cluster must be able to pull from there}"
: "${E2E_REGISTRY_TOKEN:?a token that may push there}"
: "${E2E_REPOSITORY:?an empty repository whose branch main the stories may write: E2E_REPOSITORY=https://github.com/OWNER/NAME}"
: "${E2E_GIT_TOKEN:?a token that may push there. Where the registry asks for a login to list tags, it must serve that too}"

on() { "$@"; }
pause=1
images=$E2E_REGISTRY registry_user=${E2E_REGISTRY_USER:-e2e} registry_token=$E2E_REGISTRY_TOKEN
repository=$E2E_REPOSITORY git_user=${E2E_GIT_USER:-e2e} git_token=$E2E_GIT_TOKEN
# The certificate of an authority that both are signed by, where the usual ones do not do.
ca=${E2E_CA:+$(realpath "$E2E_CA")}
[ -z "$ca" ] || export GIT_SSL_CAINFO=$ca
service_image=$E2E_REGISTRY/image-gitops

# Nothing can be broken here that is somebody else's.
faults=
heal() { :; }
# As near as an account of the cluster comes to it.
kill_service() { :; }
leave() { :; }

for program in kubectl vela helm git curl openssl python3; do
  command -v "$program" >/dev/null || { echo "make e2e: $program is not on PATH" >&2; exit 1; }
done
# The stories install, remove and upgrade the addon, and delete namespaces: never where somebody uses it.
used=$(kubectl get imagegitops -A -o jsonpath='{range .items[*]}{.metadata.namespace}{"\n"}{end}' 2>/dev/null | sort -u || true)
used+=$'\n'$(kubectl get namespace backoffice-dev addon-test --ignore-not-found -o name | cut -d/ -f2)
for other in $used; do
  [ "$(kubectl get namespace "$other" -o 'jsonpath={.metadata.labels.image-gitops\.dev/e2e}')" = true ] || {
    echo "make e2e: the namespace $other of this cluster is in use and not the stories' own; they remove the addon and what it keeps" >&2
    exit 1
  }
done
