# shellcheck shell=bash
# The Linux guest and the boot sector guest: built once, cached, readable by everyone. Nothing is installed for them.

GUEST_MODULES=(
  virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_console virtio_blk
  failover net_failover virtio_net virtio_balloon scsi_common scsi_mod sd_mod cdrom sr_mod virtio_scsi
  isofs evdev button
)
GUEST_IDE_MODULES=(libata ata_piix)

# Prints the directory of the images for the recipe of this checkout, or fails when they have to be built.
find_guest() {
  local directory="$LAB_ROOT/guest/current"
  [[ -f $directory/recipe && $(<"$directory/recipe") == "$(guest_recipe)" ]] || return 1
  readlink -f "$directory"
}

# A hash of everything that decides what the images contain, apart from the versions of the packages.
guest_recipe() {
  cat "$LAB_PARTS"/guest.sh "$LAB_PARTS"/guest-init "$LAB_PARTS"/guest-shutdown | sha256sum | cut -c1-12
}

# Builds the images unless they are in the cache, and prints their directory on stdout.
build_guest() {
  local fresh=${1:-} directory
  if [[ -z $fresh ]] && directory=$(find_guest); then
    step "guest: cached in $directory"
    printf '%s\n' "$directory"
    return
  fi
  install_packages "${GUEST_TOOLS[@]}"
  local work
  work=$(mktemp -d /var/tmp/onevirt-guest.XXXXXX)
  # Failing half way must not leave 100 MB behind; the subshell keeps the trap to itself.
  ( trap 'rm -rf -- "$work"' EXIT; assemble_guest "$work" )
}

assemble_guest() {
  local work=$1 kernel_package kernel target
  kernel_package=$(newest_kernel_package)
  step "guest: downloading $kernel_package, busybox-static, qemu-guest-agent"
  download_guest_packages "$work" "$kernel_package"
  kernel=$(cd "$work/unpacked/lib/modules" && echo *)

  step "guest: packing the initramfs for $kernel"
  fill_initramfs "$work/unpacked" "$work/root" "$kernel"
  target="$LAB_ROOT/guest/$kernel-$(guest_recipe)"
  rm -rf -- "$target.new" "$target"
  install -d -m 0755 "$LAB_ROOT" "$LAB_ROOT/guest" "$target.new"
  (cd "$work/root" && find . -print0 | cpio --null -o -H newc -R 0:0 --quiet) | gzip -6 > "$target.new/initrd.gz"
  cp "$work/unpacked/boot/vmlinuz-$kernel" "$target.new/vmlinuz"
  write_boot_sector "$target.new/density.raw"
  guest_recipe > "$target.new/recipe"
  chmod 0644 "$target.new"/*
  mv -T "$target.new" "$target"
  ln -sfnT "$(basename "$target")" "$LAB_ROOT/guest/current"
  step "guest: built $target"
  printf '%s\n' "$target"
}

newest_kernel_package() {
  local name
  name=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ { print $2; exit }')
  if [[ -z $name ]]; then
    update_package_lists
    name=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
  fi
  [[ -n $name ]] || die "Cannot find the kernel package of linux-image-cloud-amd64" "check the apt sources"
  printf '%s\n' "$name"
}

download_guest_packages() {
  local work=$1 package
  mkdir -p "$work/packages" "$work/unpacked"
  # apt drops to the user _apt for downloads, and warns when it cannot write here.
  chown _apt "$work/packages" 2>/dev/null || true
  chmod 0755 "$work"
  local wanted=("$2" busybox-static qemu-guest-agent)
  (cd "$work/packages" && apt-get -qq download "${wanted[@]}" >&2) || {
    update_package_lists
    (cd "$work/packages" && apt-get -qq download "${wanted[@]}" >&2)
  }
  for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work/unpacked"; done
}

fill_initramfs() {
  local unpacked=$1 root=$2 kernel=$3 applet library
  mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,run,tmp,var,modules,usr/sbin}
  ln -s /run "$root/var/run"
  cp "$unpacked/bin/busybox" "$root/bin/busybox"
  # Links made here cost nothing; busybox --install would make them at every boot.
  for applet in $("$unpacked/bin/busybox" --list); do
    [[ -e $root/bin/$applet ]] || ln -s busybox "$root/bin/$applet"
  done
  cp "$unpacked/usr/sbin/qemu-ga" "$root/usr/sbin/qemu-ga"
  ldd "$unpacked/usr/sbin/qemu-ga" | awk '/not found/ { missing = 1; print } END { exit missing }' >&2 ||
    die "Cannot build the guest: libraries of qemu-ga are missing on this machine"
  while read -r library; do
    install -D -m 0755 "$library" "$root$library"
  done < <(ldd "$unpacked/usr/sbin/qemu-ga" | grep -o '/[^ ]*')

  copy_modules "$unpacked/lib/modules/$kernel" "$root/modules" "${GUEST_MODULES[@]}"
  copy_modules "$unpacked/lib/modules/$kernel" "$root/modules/ide" "${GUEST_IDE_MODULES[@]}"

  sed "s/@SUBNET@/$GUEST_SUBNET/" "$LAB_PARTS/guest-init" > "$root/init"
  cp "$LAB_PARTS/guest-shutdown" "$root/sbin/shutdown"
  ln -s /bin/busybox "$root/sbin/hwclock"
  printf '%s\n' 'ID=onevirt-guest' 'NAME="onevirt lab guest"' 'PRETTY_NAME="onevirt lab guest"' 'VERSION_ID=1' \
    > "$root/etc/os-release"
  printf 'root:x:0:0:root:/:/bin/sh\n' > "$root/etc/passwd"
  printf 'root:x:0:\n' > "$root/etc/group"
  chmod 0755 "$root/init" "$root/sbin/shutdown"
}

# Numbers keep the order of the list; a module that is built in, or unknown to this kernel, is left out.
copy_modules() {
  local source=$1 target=$2 number=10 module file
  shift 2
  mkdir -p "$target"
  for module in "$@"; do
    file=$(find "$source" -name "$module.ko" -o -name "${module//_/-}.ko" | head -n 1)
    if [[ -n $file ]]; then cp "$file" "$target/$number-$module.ko"; fi
    number=$((number + 1))
  done
}

# cli; hlt; jmp to the hlt: a guest that costs no CPU once it has started.
write_boot_sector() {
  truncate -s 1M "$1"
  printf '\xfa\xf4\xeb\xfd' | dd of="$1" conv=notrunc status=none
  printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
}
