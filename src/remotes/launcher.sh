#!/bin/sh
# Launcher of onevirt: hands this action, by its own name, to the one executable of this tree. The text is the same for every
# action and every version, so a tree that is half copied still works. On one host, `touch /etc/onevirt/off` brings back, at
# once and without a sync, the scripts that were here before.
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
action=${0##*/}
if [ -e /etc/onevirt/off ] && [ -x "$here/upstream-$action" ]; then exec "$here/upstream-$action" "$@"; fi

export ONEVIRT_TREE="$here/../.."
machine=
{ read -r machine < /proc/sys/kernel/arch; } 2> /dev/null # since Linux 6.1, without a process
program=$ONEVIRT_TREE/onevirt/onevirt-${machine:-$(uname -m)}

has_avx2() {
  while read -r name values; do case $name in flags) break ;; esac; done < /proc/cpuinfo
  case " $values " in *" avx2 "*) ;; *) return 1 ;; esac
}
if [ -x "$program-baseline" ] && ! { [ -x "$program" ] && has_avx2; }; then program=$program-baseline; fi

# For the allocator of a process that lives for a moment: no giving back of memory, and no huge pages. Where memory is short of them,
# as beside guests it is, the kernel has to make and to clear each: that took up to 150 ms, and saved 1 ms where it was not.
export MIMALLOC_ALLOW_THP=0 MIMALLOC_PURGE_DELAY=-1

# An empty file, left behind by a copy that failed, would count as a script that succeeds.
if [ -s "$program" ] && [ -x "$program" ]; then exec "$program" vmm "$action" "$@"; fi

message="Cannot run $action: ${program##*/}, the executable for this machine, is missing from $ONEVIRT_TREE/onevirt or cannot be run. Run onehost sync --force, or install the one for this machine."
version=
{ read -r version < "$ONEVIRT_TREE/VERSION"; } 2> /dev/null
case $version in
  5.* | 6.0*) printf '%s\n' "ERROR MESSAGE --8<------" "$message" "ERROR MESSAGE ------>8--" >&2 ;;
  *) printf '%s\n' "$message" >&2 ;;
esac
exit 1
