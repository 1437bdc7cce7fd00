/** Where root's copy stands; nobody but root can write there. */
export const ROOT_DIRECTORY = "/usr/lib/onevirt";

/** The names under which sudo calls the copy. */
export const ROOT_NAMES = ["vgpu", "vtpm_setup"] as const;
export type RootName = (typeof ROOT_NAMES)[number];

/** What sudo reads first. */
export const SUDOERS_MAIN = "/etc/sudoers";
export const SUDOERS_FILE = "/etc/sudoers.d/onevirt";

/** What oneadmin may run as root. Arguments are free here: the program takes nothing that it does not know. */
export const SUDOERS = `# Written by "onevirt root install". The program checks every argument by itself, reads no configuration and starts nothing.
Defaults!${ROOT_NAMES.map((name) => `${ROOT_DIRECTORY}/${name}`).join(", ")} env_reset
oneadmin ALL=(root) NOPASSWD: ${ROOT_NAMES.map((name) => `${ROOT_DIRECTORY}/${name}`).join(", ")}
`;

/** libvirt starts this as root for VMs with shared file systems. It keeps its process and the descriptors it was given, and gives root up. */
export const VIRTIOFSD = `#!/bin/sh
# Written by "onevirt root install". Starts virtiofsd as oneadmin, in this very process: libvirt watches it and hands it its socket.
for program in /usr/libexec/virtiofsd /usr/lib/virtiofsd/virtiofsd /usr/lib/qemu/virtiofsd; do
  [ -x "$program" ] || continue
  case $program in */qemu/*) exec "$program" "$@" ;; esac # the old one, written in C, needs root
  exec setpriv --reuid=oneadmin --regid=oneadmin --init-groups -- "$program" "$@"
done
echo "virtiofsd binary not found: install the package virtiofsd" >&2
exit 1
`;
