const EXECUTABLE = "/var/tmp/one/onevirt/onevirt-x86_64";

/** Numbers of the lab's hosts. */
const HOSTS = { hosta: "2001", hostb: "2002" } as const;

/** The agent of this host, or of the other one, reporting to a port of loopback where nobody listens. */
export function agent(command: "start" | "stop", host: keyof typeof HOSTS = "hosta"): void {
  const configuration = `<M><NETWORK><MONITOR_ADDRESS>127.0.0.1</MONITOR_ADDRESS><PORT>4124</PORT></NETWORK><HOST_ID>${HOSTS[host]}</HOST_ID></M>`;
  const words = [EXECUTABLE, "agent", command, "kvm", HOSTS[host], host];
  const { exitCode, stderr } = Bun.spawnSync(host === "hosta" ? words : ["ssh", host, ...words], { stdin: Buffer.from(configuration) });
  if (exitCode !== 0) throw new Error(`onevirt agent ${command}: ${stderr.toString()}`);
}
