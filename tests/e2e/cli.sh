#!/usr/bin/env bash
# The main story in a lab that has a ghcr.io and a github.com of its own: 300 tags, a newer one, one commit of one line;
# then a wrong token, a missing branch, a branch that moves, a throttled registry and a cut connection.
#
#   tests/e2e/cli.sh LAB [PROGRAM]
#
# LAB is the lab's command: `LAB exec`, `image`, `push`, `tag`, `repo`, `hub`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lab=${1:?usage: make e2e LAB=path/to/lab}
program=$(realpath "${2:-$root/target/release/image-gitops}")
image=ghcr.io/legolas49/back-dev-bfirstai
repository=https://github.com/legolas49/back-dev-bfirstai
work=$(mktemp -d)
trap '"$lab" hub reset >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
passed=0

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
ok() { passed=$((passed + 1)); printf 'ok: %s\n' "$*"; }
token=ghp_lab
# run EXIT-CODE COMMAND...: runs the program in the lab; its output goes to the terminal and to $work/out
run() {
  local want=$1 got=0; shift
  printf '$ image-gitops %s\n' "$*"
  "$lab" exec env HOME="$work" GITHUB_TOKEN="$token" "$program" "$@" >"$work/out" 2>&1 || got=$?
  cat "$work/out"
  [ "$got" = "$want" ] || fail "exit code $got, expected $want"
}
expect() { grep -qF -- "$1" "$work/out" || fail "the output does not say: $1"; ok "it says: $1"; }
git_lab() { "$lab" exec git "$@"; }
tip() { git_lab ls-remote -q "$repository" refs/heads/main | cut -f1; }
policy() { # BRANCH
  sed "s/^    branch: .*/    branch: $1/" "$root/docs/examples/backoffice-dev/image-gitops.yaml" >"$work/policy-$1.yaml"
  echo "$work/policy-$1.yaml"
}

say "$image with 300 tags, and $repository"
"$lab" hub reset
printf 'FROM scratch\nCOPY hello /hello\n' >"$work/Dockerfile"; echo hello >"$work/hello"
"$lab" image "$image" "$work" "$work/image.tar"
stamp=1627123456
tags=$("$lab" exec skopeo list-tags "docker://$image" 2>/dev/null || true)
if [ "$(grep -c '"main-' <<<"$tags")" -lt 300 ]; then
  "$lab" push "$work/image.tar" "$image:main-$(printf '%07x' 1)-$stamp"
  for n in $(seq 2 300); do
    "$lab" tag "$image:main-$(printf '%07x' 1)-$stamp" "main-$(printf '%07x' "$n")-$((stamp + 60 * (n - 1)))"
  done
fi
tags=$("$lab" exec skopeo list-tags "docker://$image")
count=$(grep -c '"main-' <<<"$tags")
newest=$(grep -o 'main-[a-f0-9]\{7\}-[0-9]*' <<<"$tags" | sort -t- -k3n | tail -1)
next="main-$(printf '%07x' "$((count + 1))")-$((${newest##*-} + 60))"
mkdir -p "$work/repo"; cp -r "$root/docs/examples/backoffice-dev/." "$work/repo/"
sed -i "s#\($image\):main-[a-z0-9-]*#\1:$newest#" "$work/repo/kubevela/backoffice-dev.yaml"
"$lab" repo legolas49/back-dev-bfirstai "$work/repo" >/dev/null
file=$(policy main)
ok "$count tags; the file names $newest"

say "Nothing is newer: nothing is written"
before=$(tip)
run 0 sync -f "$file"
expect "up to date"
[ "$(tip)" = "$before" ] || fail "the branch moved"; ok "the branch did not move"

say "A newer tag is pushed: $next"
"$lab" tag "$image:$newest" "$next"
"$lab" hub reset
run 0 plan -f "$file"
expect "+        image: $image:$next"
[ "$(tip)" = "$before" ] || fail "plan wrote"; ok "plan wrote nothing"
"$lab" hub reset
run 0 sync -f "$file"
expect "🤖 Auto-update image: $image:$next"
"$lab" hub log >"$work/log"
python3 - "$work/log" <<'P'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
for host in ("ghcr.io", "github.com"):
    mine = [r for r in rows if r["host"] == host]
    print(f"{host}: {len(mine)} requests, {sum(r['in'] for r in mine)} bytes up, {sum(r['out'] for r in mine)} bytes down")
    for r in mine:
        print(f"  {r['status']} {r['method']} {r['path'][:90]} ({r['in']} up, {r['out']} down)")
P
rm -rf "$work/clone"; git_lab clone -q "$repository" "$work/clone"
git_lab -C "$work/clone" log -1 --format='%h %an <%ae>%n%n%B'
git_lab -C "$work/clone" diff --stat HEAD~1 HEAD
[ "$(git_lab -C "$work/clone" log -1 --format=%s)" = "🤖 Auto-update image: $image:$next" ] || fail "another subject"; ok "the subject is as documented"
[ "$(git_lab -C "$work/clone" diff --numstat HEAD~1 HEAD)" = "$(printf '1\t1\tkubevela/backoffice-dev.yaml')" ] || fail "not one line"; ok "exactly one line changed"
git_lab -C "$work/clone" fsck --full --strict; ok "git fsck finds nothing"

say "A second pass does nothing"
before=$(tip)
run 0 sync -f "$file"
expect "up to date"
[ "$(tip)" = "$before" ] || fail "the branch moved"; ok "no second commit"

say "A person's revert is obeyed"
git_lab -C "$work/clone" -c user.name=person -c user.email=person@example.com revert --no-edit HEAD >/dev/null
git_lab -C "$work/clone" push -q "https://lab:ghp_lab@github.com/legolas49/back-dev-bfirstai" HEAD:main
run 0 sync -f "$file"
expect "a person went back from $next"

say "A wrong token"
token=wrong run 1 sync -f "$file"
expect "hint:"

say "A token that may read but not push"
sed 's#^  interval: 2m#  registry: {secretRef: {name: nobody}}#' "$file" >"$work/anonymous.yaml"
cat >"$work/secret.yaml" <<'Y'
apiVersion: v1
kind: Secret
metadata: {name: github-write-secret, namespace: backoffice-dev}
stringData: {token: wrong}
Y
token='' run 1 check -f "$work/anonymous.yaml" "$work/secret.yaml"
expect "FAIL backoffice-dev/backoffice-dev-back push"
expect "the token is wrong or has expired"

say "A missing branch"
run 1 sync -f "$(policy nowhere)"
expect "nowhere"

say "A throttled registry that recovers, and one that does not"
"$lab" hub fault '{"host":"ghcr.io","path":"tags/list","status":429,"retry_after":"1","times":1}'
run 0 sync -f "$file"
"$lab" hub fault '{"host":"ghcr.io","path":"tags/list","status":429,"retry_after":"3600"}'
run 1 sync -f "$file"
expect "ghcr.io"
"$lab" hub reset

say "A branch that moves between reading and pushing"
again="main-$(printf '%07x' "$((count + 2))")-$((${next##*-} + 60))"
"$lab" tag "$image:$newest" "$again"
"$lab" hub fault '{"host":"github.com","path":"GET .*git-receive-pack","delay_ms":3000,"times":1}'
( sleep 1.5; cd "$work/clone"; echo "- moved" >>README.md; git_lab -C "$work/clone" add README.md
  git_lab -C "$work/clone" -c user.name=person -c user.email=person@example.com commit -qm "Move the branch"
  git_lab -C "$work/clone" push -q "https://lab:ghp_lab@github.com/legolas49/back-dev-bfirstai" HEAD:main ) &
run 0 sync -f "$file" -v
wait
expect "the branch moved; reading it again"
git_lab -C "$work/clone" pull -q
[ "$(git_lab -C "$work/clone" log -2 --format=%s | tail -1)" = "Move the branch" ] || fail "the other commit is lost"; ok "both commits are there"

say "A connection that is cut"
"$lab" hub fault '{"host":"github.com","path":"POST .*git-upload-pack","cut_after":20}'
run 1 sync -f "$file"
expect "github.com"
"$lab" hub reset
"$lab" hub fault '{"host":"ghcr.io","path":"tags/list","reset":true}'
run 1 sync -f "$file"
expect "ghcr.io"
"$lab" hub reset

printf '\n%d passed, 0 failed\n' "$passed"
