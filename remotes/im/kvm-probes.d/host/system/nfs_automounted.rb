#!/bin/sh
# Launcher of onevirt: hands this script of the monitoring, by its place in the tree, to the one executable of this tree. The
# text is the same for every probe and for the agent's control. On one host, `touch /etc/onevirt/off` brings back the scripts
# that were here before. They stand beside it and are not executable: whatever is executable here counts as one more probe.
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
here=$(cd "$here" && pwd) || exit 1
name=${0##*/}
if [ -e /etc/onevirt/off ] && [ -s "$here/upstream-$name" ]; then
  IFS= read -r line < "$here/upstream-$name"
  case $line in '#!'*) line=${line#??} ;; *) line=/bin/sh ;; esac
  case ${line%% -*} in
    *sh) exec $line -c 'script=$1; shift; . "$script"' "$0" "$here/upstream-$name" "$@" ;; # upstream's control goes by its own name
  esac
  exec $line "$here/upstream-$name" "$@" # in words, as the kernel reads it
fi

# For the allocator of a process that lives for a moment, as a probe does: see the launcher of an action.
short_lived() { export MIMALLOC_ALLOW_THP=0 MIMALLOC_PURGE_DELAY=-1; }

case $here in
  */im/*-probes.d/*/*)
    short_lived
    ONEVIRT_TREE=${here%/im/*-probes.d/*/*}
    set -- probe "${here##*-probes.d/}/$name" "$@" ;;
  */im/*-probes.d) # of 5.x, whose directories of probes are flat
    short_lived
    ONEVIRT_TREE=${here%/im/*}
    set -- probe "collectd/$name" "$@" ;;
  *)
    ONEVIRT_TREE=${here%/im/*}
    agent=agent
    case $name in collectd-client*) agent=collectd ;; esac
    case $1 in stop) shift; set -- $agent stop "$@" ;; *) set -- $agent start "$@" ;; esac ;;
esac
export ONEVIRT_TREE
machine=
{ read -r machine < /proc/sys/kernel/arch; } 2> /dev/null # since Linux 6.1, without a process
program=$ONEVIRT_TREE/onevirt/onevirt-${machine:-$(uname -m)}

has_avx2() {
  while read -r key values; do case $key in flags) break ;; esac; done < /proc/cpuinfo
  case " $values " in *" avx2 "*) ;; *) return 1 ;; esac
}
if [ -x "$program-baseline" ] && ! { [ -x "$program" ] && has_avx2; }; then program=$program-baseline; fi
if [ -s "$program" ] && [ -x "$program" ]; then exec "$program" "$@"; fi

printf '%s\n' "Cannot run $name: ${program##*/}, the executable for this machine, is missing from $ONEVIRT_TREE/onevirt or cannot be run. Run onehost sync --force, or install the one for this machine." >&2
exit 1
