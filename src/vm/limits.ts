/** How long one look at libvirt may take, in seconds: longer than libvirt itself waits for a busy domain (30 s), with time for a daemon that systemd has to start first. */
export const LOOK_SECONDS = 35;
