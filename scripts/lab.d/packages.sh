# shellcheck shell=bash
# Packages: installed when missing, never upgraded, never removed.

# shellcheck disable=SC2034
HOST_PACKAGES=(
  qemu-system-x86 qemu-utils libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt-clients
  libvirt-dev iproute2 openssh-server openssh-client rsync xorriso ovmf swtpm swtpm-tools qemu-system-arm qemu-efi-aarch64 pciutils numactl util-linux procps perl-base sudo strace
)
# The libraries are those of qemu-ga, copied into the guest.
# shellcheck disable=SC2034
GUEST_TOOLS=(cpio gzip libc-bin libglib2.0-0 libnuma1 libudev1 liburing2 qemu-utils)

install_packages() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  step "packages: installing ${missing[*]}"
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || update_package_lists
  apt_install "${missing[@]}" || { update_package_lists; apt_install "${missing[@]}"; }
}

update_package_lists() {
  step "packages: apt-get update"
  apt-get -qq -o DPkg::Lock::Timeout=300 update >&2
}

# The lab starts its own daemons inside its namespaces, so the packages must not start theirs.
apt_install() {
  local policy=/usr/sbin/policy-rc.d ours='' status=0
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 0755 "$policy"
    ours=yes
  fi
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" \
    </dev/null >/dev/null || status=$?
  if [[ -n $ours ]]; then rm -f -- "$policy"; fi
  return "$status"
}
