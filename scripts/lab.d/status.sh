# shellcheck shell=bash
# What the lab is at the moment, for people and (--json) for tests.

print_status() {
  case ${1:-} in
    '') print_status_text ;;
    --json) print_status_json ;;
    *) die "Cannot understand \"$1\"" "scripts/lab status [--json]" ;;
  esac
}

print_status_text() {
  local host name answer
  for host in hosta hostb; do
    if ! holder_pid "$host" >/dev/null; then printf '%s: down\n' "$host"; continue; fi
    answer='does not answer'
    if libvirt_answers "$host" 5 >/dev/null 2>&1; then answer='answers'; fi
    printf '%s: up, address %s, libvirt %s\n' "$host" "$(host_address "$host")" "$answer"
    for name in holder virtlogd virtlockd libvirtd sshd; do
      printf '  %-10s %s\n' "$name" "$(find_process "$host" "$name" || echo 'not running')"
    done
    printf '  domains    %s\n' "$(domain_names "$host" "$answer" | paste -sd' ')"
  done
  printf 'guest images: %s\n' "$(find_guest || echo 'not built')"
}

# Asks only a libvirtd that has answered, and never waits for long.
domain_names() {
  if [[ $2 == answers ]]; then timeout 5 "$LAB_PROGRAM" virsh "$1" list --name 2>/dev/null | sed '/^$/d' || true; fi
}

print_status_json() {
  local host guest separator='' up=false
  guest=$(find_guest || true)
  for host in hosta hostb; do if holder_pid "$host" >/dev/null; then up=true; fi; done
  printf '{"version":1,"up":%s,' "$up"
  printf '"stateDirectory":%s,"checkout":%s,"checkoutOnHosts":%s,' \
    "$(json "$LAB_ROOT")" "$(json "$LAB_CHECKOUT")" "$(json "$CHECKOUT_MOUNT")"
  printf '"user":"oneadmin","home":%s,"datastores":%s,"sshConfig":%s,"sshKey":%s,' \
    "$(json "$ACCOUNT_HOME")" "$(json "$ACCOUNT_HOME/datastores")" \
    "$(json "$ACCOUNT_HOME/.ssh/config")" "$(json "$ACCOUNT_HOME/.ssh/id_ed25519")"
  printf '"frontend":{"name":"frontend","address":%s,"bridge":%s},' \
    "$(json "$(host_address frontend)")" "$(json "$LAB_BRIDGE")"
  if [[ -n $guest ]]; then
    printf '"guest":{"directory":%s,"kernel":%s,"initrd":%s,"densityImage":%s},' \
      "$(json "$guest")" "$(json "$guest/vmlinuz")" "$(json "$guest/initrd.gz")" "$(json "$guest/density.raw")"
  else
    printf '"guest":null,'
  fi
  printf '"hosts":['
  for host in hosta hostb; do
    printf '%s' "$separator"
    print_host_json "$host"
    separator=,
  done
  printf ']}\n'
}

print_host_json() {
  local host=$1 name reachable=false answer='' domains
  if holder_pid "$host" >/dev/null && libvirt_answers "$host" 5 >/dev/null 2>&1; then reachable=true answer=answers; fi
  domains=$(domain_names "$host" "$answer" | sed 's/.*/"&"/' | paste -sd,)
  printf '{"name":%s,"up":%s,"address":%s,"uuid":%s,"directory":%s,"guestBridge":%s,"libvirtReachable":%s,' \
    "$(json "$host")" "$(if holder_pid "$host" >/dev/null; then echo true; else echo false; fi)" \
    "$(json "$(host_address "$host")")" "$(json "$(host_uuid "$host")")" "$(json "$(host_directory "$host")")" \
    "$(json "$GUEST_BRIDGE")" "$reachable"
  printf '"pids":{'
  local separator=''
  for name in holder virtlogd virtlockd libvirtd sshd; do
    printf '%s"%s":%s' "$separator" "$name" "$(find_process "$host" "$name" || echo null)"
    separator=,
  done
  printf '},"domains":[%s]}' "$domains"
}

# A JSON string; the lab's own paths and names hold no control characters.
json() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}
