# shellcheck shell=bash
# The user oneadmin, as the OpenNebula packages make it, with a key that opens every host of the lab.

ACCOUNT_HOME=/var/lib/one

create_account() {
  # OpenNebula's id is 9869; where somebody else has it, any other will do.
  local id=()
  if ! getent group oneadmin >/dev/null; then
    getent group 9869 >/dev/null || id=(--gid 9869)
    groupadd ${id[@]+"${id[@]}"} oneadmin
  fi
  if ! getent passwd oneadmin >/dev/null; then
    step "account: creating oneadmin"
    id=()
    getent passwd 9869 >/dev/null || id=(--uid 9869)
    useradd ${id[@]+"${id[@]}"} --gid oneadmin --home-dir "$ACCOUNT_HOME" --no-create-home --shell /bin/bash oneadmin
  fi
  local group
  for group in kvm libvirt disk; do
    if getent group "$group" >/dev/null && ! id -nG oneadmin | grep -qw "$group"; then usermod -aG "$group" oneadmin; fi
  done
  # Without PAM, sshd refuses an account whose password starts with "!" even for keys.
  if [[ $(getent shadow oneadmin | cut -d: -f2) == '!'* ]]; then usermod -p '*' oneadmin; fi

  install -d -m 0750 -o oneadmin -g oneadmin "$ACCOUNT_HOME"
  install -d -m 0755 -o oneadmin -g oneadmin "$ACCOUNT_HOME/datastores" "$ACCOUNT_HOME/datastores/0"
  local profile
  for profile in .profile .bashrc .hushlogin; do
    [[ -e $ACCOUNT_HOME/$profile ]] || install -m 0644 -o oneadmin -g oneadmin /dev/null "$ACCOUNT_HOME/$profile"
  done
}

# as_oneadmin COMMAND…: the command on this side of the lab (the front-end), with a clean environment.
as_oneadmin() {
  (cd / && exec setpriv --reuid=oneadmin --regid=oneadmin --init-groups --reset-env -- "$@" 9>&-)
}

# The user's key, its own known_hosts (rewritten by every up), and a quiet configuration between marker lines.
write_ssh_client() {
  local ssh="$ACCOUNT_HOME/.ssh" host
  install -d -m 0700 -o oneadmin -g oneadmin "$ssh"
  [[ -f $ssh/id_ed25519 ]] ||
    as_oneadmin ssh-keygen -q -t ed25519 -N '' -C oneadmin@onevirt-lab -f "$ssh/id_ed25519"
  touch "$ssh/authorized_keys" "$ssh/config"
  grep -qxFf "$ssh/id_ed25519.pub" "$ssh/authorized_keys" || cat "$ssh/id_ed25519.pub" >> "$ssh/authorized_keys"

  for host in "$@"; do
    printf '%s,%s %s\n' "$host" "$(host_address "$host")" \
      "$(cut -d' ' -f1,2 "$(host_directory "$host")/ssh/host_ed25519.pub")"
  done > "$ssh/known_hosts.onevirt-lab"
  put_block "$ssh/config" <<END
Host $* ${LAB_NET}.*
  User oneadmin
  IdentityFile $ssh/id_ed25519
  UserKnownHostsFile $ssh/known_hosts.onevirt-lab
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking accept-new
  BatchMode yes
  ConnectTimeout 10
  LogLevel ERROR
  ControlMaster no
  ControlPath none
END
  chown -R oneadmin:oneadmin "$ssh"
  chmod 0600 "$ssh/authorized_keys" "$ssh/config" "$ssh/id_ed25519"
}
