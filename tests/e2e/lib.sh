# What the stories share: words for checks, and the place where they are played. To be sourced first.
#
# LAB names a lab's command; without it they are played on the cluster that KUBECONFIG names (places/given.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
namespace=backoffice-dev
stamp=1627123456
work=$(mktemp -d)
passed=0 unplayed=0 out=

# --- words ---------------------------------------------------------------

say() { printf '\n== %s\n' "$*"; }
ok() { passed=$((passed + 1)); printf 'ok: %s\n' "$*"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  [ -z "$out" ] || printf '%s\n' "$out" | tail -20 >&2
  k get imagegitops,applications,pods -A -o wide >&2 || true
  k -n vela-system logs deploy/image-gitops --tail 40 >&2 || true
  exit 1
}
# A part that this place has no means for. It is said where it stands, and again at the end.
not_here() { unplayed=$((unplayed + 1)); printf '\n!! NOT PLAYED HERE: %s\n' "$*"; }
# The last line of a story.
end() { printf '\n%d passed, 0 failed%s\n' "$passed" "$([ "$unplayed" = 0 ] || printf ', %d NOT PLAYED HERE' "$unplayed")"; }

# shown COMMAND...: runs it where the cluster is, as a user would, and shows both; its output is in $out
shown() {
  printf '$ %s\n' "$*"
  out=$(on "$@" 2>&1) || fail "the command failed: $*"
  printf '%s\n' "$out"
}
# quietly COMMAND...: the same without showing it
quietly() { out=$(on "$@" 2>&1) || fail "the command failed: $*"; }
# expect TEXT: $out has it
expect() { grep -qF -- "$1" <<<"$out" || fail "it does not say: $1"; ok "it says: $1"; }
# is SENTENCE WANT COMMAND...: the command prints this and nothing else
is() {
  local sentence=$1 want=$2 got; shift 2
  got=$("$@" 2>/dev/null) || true
  [ "$got" = "$want" ] || fail "$sentence: got '$got', not '$want'"
  ok "$sentence"
}
# until_ok SECONDS SENTENCE COMMAND...: waits until the command succeeds
until_ok() {
  local seconds=$1 sentence=$2 start; shift 2
  start=$(date +%s%N)
  until "$@" >/dev/null 2>&1; do
    [ $(( ($(date +%s%N) - start) / 1000000000 )) -lt "$seconds" ] || fail "not within $seconds s: $sentence"
    sleep "$pause"
  done
  ok "$sentence ($(( ($(date +%s%N) - start) / 1000000 )) ms)"
}

k() { on kubectl "$@"; }
v() { on vela "$@"; }
# git with the login of the place, which no command line shows
g() {
  on git -c safe.directory='*' -c user.name=person -c user.email=person@example.com \
    -c credential.helper= -c credential.helper='!f() { echo "username=$E2E_GIT_USER"; echo "password=$E2E_GIT_TOKEN"; }; f' "$@"
}
oci() { on "$root/target/debug/oci" "$@"; }

if [ -n "${LAB:-}" ]; then . "$root/tests/e2e/places/lab.sh"; else . "$root/tests/e2e/places/given.sh"; fi
trap 'leave >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
image=$images/back-dev-bfirstai
export GIT_TERMINAL_PROMPT=0 E2E_GIT_USER=$git_user E2E_GIT_TOKEN=$git_token
export E2E_REGISTRY_USER=$registry_user E2E_REGISTRY_TOKEN=$registry_token E2E_CA=$ca

# --- the registry --------------------------------------------------------

# push ARCHIVE IMAGE: an OCI archive
push() {
  local layout; layout=$(mktemp -d -p "$work")
  tar -xf "$1" -C "$layout"
  oci push "$layout" "$2"
}
tag() { printf 'main-%07x-%d' "$1" $((stamp + 60 * $1)); }
push_tag() { oci tag "$image:$(tag "$first")" "$(tag "$1")"; }
# The number of the newest tag that earlier runs pushed.
highest() { printf '%d' "0x$( { oci tags "$image" 2>/dev/null || true; } | sed -n 's/^main-\([0-9a-f]\{7\}\)-[0-9]*$/\1/p' | sort | tail -1)" 2>/dev/null || printf 0; }

# --- the repository ------------------------------------------------------

file=kubevela/backoffice-dev.yaml
# A copy of the branch's commits, brought up to date by each look.
look() { g -C "$work/mirror.git" fetch -q "$repository" +refs/heads/main:refs/heads/main; }
tip() { look && g -C "$work/mirror.git" rev-parse main; }
count() { look && g -C "$work/mirror.git" rev-list --count main; }
subject() { look && g -C "$work/mirror.git" log -1 --format=%s main; }
in_git() { look && g -C "$work/mirror.git" show "main:$file" | grep -F "image: $image:$1" >/dev/null; }
clone() { rm -rf "$work/clone"; g clone -q --branch main "$repository" "$work/clone"; }
send() { g -C "$work/clone" push -q "$repository" HEAD:main; }
one_commit() { is "one commit" $(($1 + 1)) count; }

# --- the cluster ---------------------------------------------------------

# The image that the pods of the Application really run; those that are ending do not count.
running() {
  k -n "$namespace" get pods -l app.oam.dev/component=back -o json | python3 -c '
import json, sys
pods = [p for p in json.load(sys.stdin)["items"] if "deletionTimestamp" not in p["metadata"] and p["status"].get("phase") == "Running"]
print("\n".join(sorted({p["spec"]["containers"][0]["image"] for p in pods})))'
}
runs() { [ "$(running)" = "$image:$1" ]; }
status() { k -n "$namespace" get imagegitops "$1" -o "jsonpath={.status.$2}"; }
reason_is() { [ "$(status "$1" 'conditions[?(@.type=="Ready")].reason')" = "$2" ]; }
tag_is() { [ "$(status "$1" tag)" = "$2" ]; }
pods_ready() { [ "$(k -n vela-system get deploy image-gitops -o 'jsonpath={.status.readyReplicas}')" = "$1" ]; }
absent() { ! k get "$@"; }
# A value that was never there.
look_now() { k annotate application "$1" -n "$namespace" --overwrite "fluxcd.io/reconcile=$(date +%s%N)" >/dev/null; }

# clean: nothing of an earlier run
clean() {
  k delete applications --all -n "$namespace" --wait --timeout 60s >/dev/null 2>&1 || true
  v addon disable image-gitops -y >/dev/null 2>&1 || true
  k delete namespace "$namespace" --ignore-not-found --wait --timeout 120s >/dev/null
  k wait --for=delete application/addon-image-gitops -n vela-system --timeout 60s >/dev/null 2>&1 || true
}
# The namespace of a story, marked as such: on a cluster that is not the tests' own, no other is deleted.
make_namespace() { k create namespace "$1" >/dev/null; k label namespace "$1" image-gitops.dev/e2e=true >/dev/null; }
write_secret() { printf %s "$git_token" | k -n "$namespace" create secret generic github-write-secret --from-file=token=/dev/stdin >/dev/null; }

# fresh FOLDER: the image with its first tag (number $first), and the branch holding FOLDER's files with that tag
fresh() {
  heal
  local made; made=$(mktemp -d -p "$work")
  rustc --edition 2024 -O -C target-feature=+crt-static -C strip=symbols --target "$(uname -m)-unknown-linux-gnu" -o "$made/back" "$root/tests/e2e/back.rs"
  tar -cf "$made/layer.tar" -C "$made" --owner 0 --group 0 --mode 755 back
  # The registry keeps what earlier runs pushed; this one begins above it.
  first=$(($(highest) + 1))
  oci make "$made/layer.tar" /back "$image:$(tag "$first")"
  git init -q --bare "$work/mirror.git"
  git init -q -b main "$work/start"
  ! look 2>/dev/null || g -C "$work/start" fetch -q "$work/mirror.git" main
  ! git -C "$work/start" rev-parse -q --verify FETCH_HEAD >/dev/null 2>&1 || git -C "$work/start" reset -q --soft FETCH_HEAD
  cp -r "$1/." "$work/start/"
  given_names "$work/start"
  sed -i "s#\($image\):main-[a-z0-9-]*#\1:$(tag "$first")#" "$work/start/$file"
  git -C "$work/start" add -A
  g -C "$work/start" commit -q -m "Start"
  g -C "$work/start" push -q "$repository" HEAD:main
}
# given_names FOLDER: the examples name an image and a repository; here they are this place's
given_names() {
  find "$1" -path "$1/.git" -prune -o -type f -print0 |
    xargs -0 sed -i "s#ghcr.io/legolas49/back-dev-bfirstai#$image#g; s#https://github.com/legolas49/back-dev-bfirstai#$repository#g"
}
# with_trait APPLICATION: the user's Application, with the trait's five lines
with_trait() {
  cat "$1"
  cat <<Y
        - type: image-gitops
          properties:
            tags: {pattern: '^main-[a-f0-9]{7}-(?P<ts>[0-9]+)\$', extract: '\$ts'}
            git: {url: $repository, path: $file, secretRef: {name: github-write-secret}}
Y
}

# enable PARAMETER...: the addon with the program that was just built
enable() {
  local given=(imagePullPolicy=Always)
  [ -z "$ca" ] || given+=(caConfigMap=lab-ca)
  [ -z "$service_image" ] || given+=("image=$service_image:$version")
  [ -z "$ca" ] || k -n vela-system create configmap lab-ca --from-file=ca.crt="$ca" --dry-run=client -o yaml | k apply -f - >/dev/null
  pushd "$root" >/dev/null
  shown vela addon enable ./addon/image-gitops "${given[@]}" "$@"
  popd >/dev/null
}
push_service() { push "$archive" "${service_image:-ghcr.io/image-gitops/image-gitops}:$version"; }
