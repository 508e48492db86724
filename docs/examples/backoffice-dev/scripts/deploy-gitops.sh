#!/usr/bin/env bash
# Déploie l'application et ce qui tient son image à jour, attend que les deux tournent, et dit où regarder.
#
#   ./scripts/deploy-gitops.sh
set -euo pipefail
cd "$(dirname "$0")/.."

namespace=backoffice-dev
secret=github-write-secret
timeout=${TIMEOUT:-180s}

command -v kubectl >/dev/null || { echo "kubectl est introuvable : https://kubernetes.io/docs/tasks/tools/" >&2; exit 1; }
if ! kubectl get componentdefinition image-gitops --namespace vela-system >/dev/null; then
  echo "L'addon image-gitops n'est pas installé dans ce cluster : voir README.md, Prérequis" >&2
  exit 1
fi

kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply --server-side -f -
if ! kubectl get secret "$secret" --namespace "$namespace" >/dev/null; then
  echo "Il manque le Secret $secret : ./scripts/create-github-secret.sh" >&2
  exit 1
fi

# L'application n'est posée que la première fois : ensuite, c'est Git et image-gitops qui disent quelle image tourne, et un
# fichier local en retard remettrait l'ancienne.
if kubectl get application backoffice-dev --namespace "$namespace" >/dev/null 2>&1; then
  echo "application backoffice-dev : déjà là, laissée comme elle est"
else
  kubectl apply -f kubevela/backoffice-dev.yaml
fi
kubectl apply -f kubevela/backoffice-dev-image-gitops.yaml

for application in backoffice-dev-image-gitops backoffice-dev; do
  if ! kubectl wait "application/$application" --namespace "$namespace" --for=jsonpath='{.status.status}'=running --timeout "$timeout"; then
    echo "$application ne tourne pas encore. Voir : vela status $application -n $namespace" >&2
    exit 1
  fi
done

cat <<T

Tout est en place. La suite :
  vela ls -n $namespace
  vela status backoffice-dev-image-gitops -n $namespace
  kubectl logs -f deployment/backoffice-dev-image-gitops -n $namespace
T
