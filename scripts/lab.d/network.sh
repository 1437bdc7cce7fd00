# shellcheck shell=bash
# The wire between the hosts: a bridge in the root namespace, one veth pair per host, names in /etc/hosts.

LAB_BRIDGE=onevirtlab0
GUEST_BRIDGE=onebr0

host_address() {
  case $1 in
    frontend) echo "$LAB_NET.1" ;;
    hosta) echo "$LAB_NET.11" ;;
    hostb) echo "$LAB_NET.12" ;;
  esac
}

create_bridge() {
  if ip link show dev "$LAB_BRIDGE" >/dev/null 2>&1; then return 0; fi
  step "network: bridge $LAB_BRIDGE, frontend $(host_address frontend)"
  ip link add name "$LAB_BRIDGE" type bridge forward_delay 0
  ip address add "$(host_address frontend)/24" dev "$LAB_BRIDGE"
  ip link set dev "$LAB_BRIDGE" up
}

delete_bridge() {
  ip link delete dev "$LAB_BRIDGE" 2>/dev/null || true
}

# Plugs a host's namespace into the bridge, and makes inside it the bridge for guests.
plug_host() {
  local host=$1 outer="onelab-$1"
  ip link delete dev "$outer" 2>/dev/null || true
  ip link add name "$outer" type veth peer name eth0 netns "$(holder_pid "$host")"
  ip link set dev "$outer" master "$LAB_BRIDGE" up
  enter_host "$host" ip link set dev lo up
  enter_host "$host" ip address add "$(host_address "$host")/24" dev eth0
  enter_host "$host" ip link set dev eth0 up
  enter_host "$host" ip link add name "$GUEST_BRIDGE" type bridge forward_delay 0
  enter_host "$host" ip address add "$GUEST_SUBNET.1/24" dev "$GUEST_BRIDGE"
  enter_host "$host" ip link set dev "$GUEST_BRIDGE" up
}

write_names() {
  local host
  for host in frontend "$@"; do printf '%s %s\n' "$(host_address "$host")" "$host"; done | put_block /etc/hosts
  for host in "$@"; do
    [[ $(getent ahostsv4 "$host" | awk 'NR == 1 { print $1 }') == "$(host_address "$host")" ]] ||
      die "Cannot use the name $host: it resolves to another address" "look for $host in /etc/hosts"
  done
}
