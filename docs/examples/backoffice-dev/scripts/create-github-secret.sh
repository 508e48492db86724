#!/usr/bin/env bash
# Crée (ou remplace) le Secret avec lequel image-gitops lit GHCR et pousse sur GitHub.
#
#   export GITHUB_TOKEN=ghp_your_token_here
#   ./scripts/create-github-secret.sh
#
# Le jeton ne passe par aucune ligne de commande : il n'apparaît ni dans ps, ni dans l'historique de kubectl.
set -euo pipefail

namespace=${NAMESPACE:-backoffice-dev}
secret=${SECRET:-github-write-secret}

token=${GITHUB_TOKEN:-}
token=${token//[[:space:]]/}
if [ -z "$token" ]; then
  cat >&2 <<'T'
GITHUB_TOKEN est vide.

Créez un jeton (classique) sur https://github.com/settings/tokens avec les permissions
  repo            pour lire et pousser dans le dépôt
  read:packages   pour lire les tags sur GHCR
puis :
  export GITHUB_TOKEN=ghp_your_token_here
  ./scripts/create-github-secret.sh
T
  exit 1
fi
command -v kubectl >/dev/null || { echo "kubectl est introuvable : https://kubernetes.io/docs/tasks/tools/" >&2; exit 1; }

kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply --server-side -f - >/dev/null
# --server-side : un simple apply recopierait le jeton dans une annotation.
printf '%s' "$token" |
  kubectl create secret generic "$secret" --namespace "$namespace" --from-file=token=/dev/stdin --dry-run=client -o yaml |
  kubectl apply --server-side --force-conflicts -f - >/dev/null

echo "Le Secret $secret est en place dans le namespace $namespace."
echo "Ensuite : ./scripts/deploy-gitops.sh"
