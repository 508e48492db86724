# A lab: a cluster on this machine with a ghcr.io and a github.com of its own, where anything may be broken. LAB is its
# command: `exec`, `env`, `repo`, `hub`.
lab=$LAB
eval "$("$lab" env | grep '^export LAB_')"
# KubeVela's controller runs beside the node, which knows no way to Services of its own.
"$lab" exec ip route add 10.43.0.0/16 dev lab0 2>/dev/null || true

on() { "$lab" exec "$@"; }
pause=0.1
images=ghcr.io/legolas49 registry_user=lab registry_token=$LAB_TOKEN
repository=https://github.com/legolas49/back-dev-bfirstai git_user=lab git_token=$LAB_TOKEN
"$lab" repo legolas49/back-dev-bfirstai >/dev/null
ca=$LAB_CA
# The addon's own default is pushed to the lab's ghcr.io.
service_image=

faults=yes
# fault JSON: what the next requests meet; heal: nothing any more
fault() { "$lab" hub fault "$1" >/dev/null; }
heal() { "$lab" hub reset >/dev/null; }
# Kills the service's process itself, as a node that dies does: a pod that is deleted is told, and ends its pass.
kill_service() { on pkill -KILL -f '^/image-gitops serve'; }
leave() { heal; }
