#!/usr/bin/env bash
# The main story without a cluster: 300 tags, a newer one, one commit of one line; then a wrong token, a missing branch, a
# branch that moves, a throttled registry and a cut connection.
#
#   tests/e2e/cli.sh PROGRAM
#
# Of a lab it needs the faults, and the log of all requests.
. "$(dirname "$0")/lib.sh"
program=$(realpath "${1:-$root/target/release/image-gitops}")
[ -n "$faults" ] || fail "this story is about servers that fail: it needs a lab"
token=$git_token
# run EXIT-CODE ARGUMENT...: runs the program where the servers are; its output is shown, and in $out
run() {
  local want=$1 got=0; shift
  printf '$ image-gitops %s\n' "$*"
  out=$(GITHUB_TOKEN=$token on env HOME="$work" "$program" "$@" 2>&1) || got=$?
  printf '%s\n' "$out"
  [ "$got" = "$want" ] || fail "exit code $got, expected $want"
}
same_tip() { is "$1" "$before" tip; }
policy() { # BRANCH
  sed "s/^    branch: .*/    branch: $1/" "$root/docs/examples/backoffice-dev/image-gitops.yaml" >"$work/policy-$1.yaml"
  echo "$work/policy-$1.yaml"
}

say "$image with 300 tags, and $repository"
mkdir "$work/repo"; cp -r "$root/docs/examples/backoffice-dev/." "$work/repo/"
fresh "$work/repo"
count=$(oci tags "$image" | grep -c '^main-')
for ((; count < 300; count++)); do first=$((first + 1)); oci tag "$image:$(tag $((first - 1)))" "$(tag "$first")"; done
newest=$(tag "$first"); next=$(tag $((first + 1)))
clone
sed -i "s#\($image\):main-[a-z0-9-]*#\1:$newest#" "$work/clone/$file"
! g -C "$work/clone" commit -qam "Take the newest" || send
policy_main=$(policy main)
ok "$count tags; the file names $newest"

say "Nothing is newer: nothing is written"
before=$(tip)
run 0 sync -f "$policy_main"
expect "up to date"
same_tip "the branch did not move"

say "A newer tag is pushed: $next"
push_tag $((first + 1))
heal
run 0 plan -f "$policy_main"
expect "+        image: $image:$next"
same_tip "plan wrote nothing"
heal
run 0 sync -f "$policy_main"
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
clone
g -C "$work/clone" log -1 --format='%h %an <%ae>%n%n%B'
g -C "$work/clone" diff --stat HEAD~1 HEAD
is "the subject is as documented" "🤖 Auto-update image: $image:$next" subject
is "exactly one line changed" "$(printf '1\t1\t%s' "$file")" g -C "$work/clone" diff --numstat HEAD~1 HEAD
g -C "$work/clone" fsck --full --strict; ok "git fsck finds nothing"

say "A second pass does nothing"
before=$(tip)
run 0 sync -f "$policy_main"
expect "up to date"
same_tip "no second commit"

say "A person's revert is obeyed"
g -C "$work/clone" revert --no-edit HEAD >/dev/null
send
run 0 sync -f "$policy_main"
expect "a person went back from $next"

say "A wrong token"
token=wrong run 1 sync -f "$policy_main"
expect "hint:"

say "A token that may read but not push"
sed 's#^  interval: 2m#  registry: {secretRef: {name: nobody}}#' "$policy_main" >"$work/anonymous.yaml"
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
fault '{"host":"ghcr.io","path":"tags/list","status":429,"retry_after":"1","times":1}'
run 0 sync -f "$policy_main"
fault '{"host":"ghcr.io","path":"tags/list","status":429,"retry_after":"3600"}'
run 1 sync -f "$policy_main"
expect "ghcr.io"
heal

say "A branch that moves between reading and pushing"
push_tag $((first + 2))
fault '{"host":"github.com","path":"GET .*git-receive-pack","delay_ms":3000,"times":1}'
( sleep 1.5
  echo "- moved" >>"$work/clone/README.md"
  g -C "$work/clone" commit -qam "Move the branch"
  send ) &
run 0 sync -f "$policy_main" -v
wait
expect "the branch moved; reading it again"
before_last() { look && g -C "$work/mirror.git" log -1 --format=%s main~1; }
is "both commits are there" "Move the branch" before_last

say "A connection that is cut"
fault '{"host":"github.com","path":"POST .*git-upload-pack","cut_after":20}'
run 1 sync -f "$policy_main"
expect "github.com"
heal
fault '{"host":"ghcr.io","path":"tags/list","reset":true}'
run 1 sync -f "$policy_main"
expect "ghcr.io"
heal

end
