#!/bin/sh
# Launcher of onevirt: hands this action, by its own name, to the one executable of this tree. The text never changes between
# versions, so a tree that is half copied still works. On one host, `touch /etc/onevirt/off` brings the scripts back that were
# here before, at once and without a sync.
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
action=${0##*/}
ONEVIRT_TREE=$here/../..
if [ -e /etc/onevirt/off ] && [ -x "$ONEVIRT_TREE/onevirt/upstream/$action" ]; then
  exec "$ONEVIRT_TREE/onevirt/upstream/$action" "$@"
fi
{ read -r machine < /proc/sys/kernel/arch; } 2>/dev/null || machine=$(uname -m)
export ONEVIRT_TREE
program=$ONEVIRT_TREE/onevirt/onevirt-$machine
if [ -x "$program" ]; then exec "$program" vmm "$action" "$@"; fi
echo "Cannot run $action: no executable onevirt-$machine in $ONEVIRT_TREE/onevirt for this machine. Run onehost sync, or install the one for $machine." >&2
exit 1
