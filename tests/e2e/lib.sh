# What the end-to-end scripts share: a lab with a cluster, a ghcr.io and a github.com of its own, and words for checks.
# Sourced with $lab and $root set.
eval "$("$lab" env | grep '^export LAB_')"
# KubeVela's controller runs beside the node, which knows no way to Services of its own.
"$lab" exec ip route add 10.43.0.0/16 dev lab0 2>/dev/null || true

image=ghcr.io/legolas49/back-dev-bfirstai
repository=https://github.com/legolas49/back-dev-bfirstai
namespace=backoffice-dev
stamp=1627123456
passed=0

say() { printf '\n== %s\n' "$*"; }
ok() { passed=$((passed + 1)); printf 'ok: %s\n' "$*"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  "$lab" exec kubectl get imagegitops,applications,pods -A -o wide >&2 || true
  "$lab" exec kubectl -n vela-system logs deploy/image-gitops --tail 40 >&2 || true
  exit 1
}
k() { "$lab" exec kubectl "$@"; }
v() { "$lab" exec vela "$@"; }
g() { "$lab" exec git -c safe.directory='*' "$@"; }
# shown COMMAND...: runs it in the lab as a user would, showing both; its output is in $out
shown() {
  printf '$ %s\n' "$*"
  out=$("$lab" exec "$@" 2>&1) || { printf '%s\n' "$out"; fail "the command failed: $*"; }
  printf '%s\n' "$out"
}
expect() { grep -qF -- "$1" <<<"$out" || fail "it does not say: $1"; ok "it says: $1"; }

# until SECONDS WHAT COMMAND...: waits until the command succeeds
until_ok() {
  local seconds=$1 what=$2 start; shift 2
  start=$(date +%s%N)
  until "$@" >/dev/null 2>&1; do
    [ $(( ($(date +%s%N) - start) / 1000000000 )) -lt "$seconds" ] || fail "not within $seconds s: $what"
    sleep 0.1
  done
  ok "$what ($(( ($(date +%s%N) - start) / 1000000 )) ms)"
}

tip() { g ls-remote -q "$repository" refs/heads/main | cut -f1; }
count() { g -C "$LAB_GIT/legolas49/back-dev-bfirstai.git" rev-list --count main; }
tag() { printf 'main-%07x-%d' "$1" $((stamp + 60 * $1)); }
# The image that the pods of the Application really run; those that are ending do not count.
running() {
  k -n "$namespace" get pods -l app.oam.dev/component=back -o json | python3 -c '
import json, sys
pods = [p for p in json.load(sys.stdin)["items"] if "deletionTimestamp" not in p["metadata"] and p["status"].get("phase") == "Running"]
print("\n".join(sorted({p["spec"]["containers"][0]["image"] for p in pods})))'
}
runs() { [ "$(running)" = "$image:$1" ]; }
in_git() { "$lab" exec sh -c "git --git-dir=$LAB_GIT/legolas49/back-dev-bfirstai.git show main:kubevela/backoffice-dev.yaml" | grep -qF "image: $image:$1"; }
push_tag() { "$lab" tag "$image:$(tag "$first")" "$(tag "$1")"; }
highest() { "$lab" exec skopeo list-tags "docker://$image" 2>/dev/null | grep -o '"main-[0-9a-f]\{7\}-[0-9]*"' | tr -d '"' | cut -d- -f2 | sort | tail -1; }
ready() { k -n "$namespace" get imagegitops "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}'; }
reason_is() { [ "$(ready "$1")" = "$2" ]; }

# fresh FOLDER: the image with its first tag (number $first), and the repository holding FOLDER's files with that tag
fresh() {
  local work; work=$(mktemp -d)
  "$lab" hub reset
  rustc --edition 2024 -O -C target-feature=+crt-static -C strip=symbols --target "$(uname -m)-unknown-linux-gnu" -o "$work/back" "$root/tests/e2e/back.rs"
  printf 'FROM scratch\nCOPY back /back\nEXPOSE 3000\nUSER 65532\nENTRYPOINT ["/back"]\n' >"$work/Dockerfile"
  "$lab" image "$image" "$work" "$work/image.tar"
  # The registry keeps what earlier runs pushed; this one begins above it.
  local last; last=$(highest || true)
  first=$(( 16#${last:-0} + 1 ))
  rm -rf "$LAB_GIT/legolas49"
  "$lab" push "$work/image.tar" "$image:$(tag "$first")"
  mkdir "$work/repo"; cp -r "$1/." "$work/repo/"
  sed -i "s#\($image\):main-[a-z0-9-]*#\1:$(tag "$first")#" "$work/repo/kubevela/backoffice-dev.yaml"
  "$lab" repo legolas49/back-dev-bfirstai "$work/repo" >/dev/null
  rm -rf "$work"
}

# The addon with the program that was just built, and the lab's certificates.
enable_addon() {
  local work; work=$(mktemp -d)
  "$lab" push "$archive" "ghcr.io/image-gitops/image-gitops:$version"
  k -n vela-system create configmap lab-ca --from-file=ca.crt="$LAB_CA" --dry-run=client -o yaml >"$work/ca.yaml"
  k apply -f "$work/ca.yaml" >/dev/null
  pushd "$root" >/dev/null
  shown vela addon enable ./addon/image-gitops caConfigMap=lab-ca imagePullPolicy=Always "$@"
  popd >/dev/null
  rm -rf "$work"
}
