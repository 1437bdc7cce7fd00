const EXECUTABLE = "/var/tmp/one/onevirt/onevirt-x86_64";

/** The agent of this host, reporting to a port of loopback where nobody listens. */
export function agent(command: "start" | "stop"): void {
  const configuration = "<M><NETWORK><MONITOR_ADDRESS>127.0.0.1</MONITOR_ADDRESS><PORT>4124</PORT></NETWORK><HOST_ID>2001</HOST_ID></M>";
  const { exitCode, stderr } = Bun.spawnSync([EXECUTABLE, "agent", command, "kvm", "2001", "hosta"], { stdin: Buffer.from(configuration) });
  if (exitCode !== 0) throw new Error(`onevirt agent ${command}: ${stderr.toString()}`);
}
