import type { Action } from "../actions/action.ts";
import { actions } from "../actions/table.ts";
import type { Probe } from "../probes/probe.ts";
import { probes } from "../probes/table.ts";

/** remotes/README.md: what stands in the tree, and each action as oned calls it. It follows from the action table. */
export function treeReference(): string {
  const rows = Object.entries(actions as Readonly<Record<string, Action>>);
  return [HEAD, "## Actions", "", ...SUMMARY_HEAD, ...rows.map(summaryRow), "", NOTES, ...rows.map(section), ...monitoring()].join("\n");
}

const HEAD = `<!-- Generated from src/actions/table.ts and src/probes/table.ts by npm run gen. -->
# The remotes tree

What \`onevirt remotes install\` adds to a front-end's \`/var/lib/one/remotes\`, and \`onehost sync\` copies from there to the hosts.

| path | what it is |
|---|---|
| \`vmm/kvm/<action>\` | the launcher of an action: a small \`sh\` script, the same text for all of them |
| \`vmm/kvm/upstream-<action>\` | the script that stood there before, for \`/etc/onevirt/off\`; only where there was one |
| \`onevirt/onevirt-x86_64\`, \`onevirt/onevirt-aarch64\` | the executable, one for each machine type in use |
| \`onevirt/onevirt-x86_64-baseline\` | where somebody built and put one: for processors without AVX2 |
| \`onevirt/onevirt.conf\` | settings of onevirt itself; those of OpenNebula stay in \`etc/vmm/kvm/kvmrc\` |

With \`--monitoring\` also, for \`im/kvm.d\`, \`im/kvm-probes.d\` and the same of \`qemu\`:

| path | what it is |
|---|---|
| \`im/kvm.d/monitord-client_control.sh\` | starts and ends the agent, for \`run_monitord_client\` and \`stop_monitord_client\`, which stay as they are |
| \`im/kvm-probes.d/<category>/<file>\` | the launcher of a probe (see [Probes](#probes)); the agent runs the probe itself. Other executable files there are run as they are |
| \`upstream-<file>\` beside either | what stood there before, for \`/etc/onevirt/off\`; not executable, or it would be run as a probe |

A front-end of 5.0 to 5.10 gets these instead (\`dist/remotes-5.x\`, \`onevirt remotes write --generation 5\`; \`install\` sees it in VERSION):

| path | what it is |
|---|---|
| \`im/kvm.d/collectd-client_control.sh\` | starts and ends the client of 5.x (\`onevirt collectd\`), for \`run_probes\` and \`stop_probes\`, which stay as they are |
| \`im/kvm-probes.d/<file>\` | the launcher of a probe; the client runs the probe itself |

On a host, \`touch /etc/onevirt/off\` makes the launchers run the \`upstream-\` scripts again, at once; removing the file ends that.
`;

const SUMMARY_HEAD = ["| action | what it does | standard input | standard output | limit in seconds |", "|---|---|---|---|---|"];

const NOTES = `Exit codes: 0 done; 1 not done; 2 wrong call; 3 outcome unknown. Never 42, which OpenNebula reads as "scripts are missing".
\`LIMIT_<ACTION>\` in \`onevirt.conf\` changes a limit. Arguments in brackets may be absent.
`;

const STDIN: Readonly<Record<Action["stdin"], string>> = { none: "not read", domain: "domain document", message: "driver message" };
const STDOUT: Readonly<Record<Action["stdout"], string>> = { none: "nothing", "deploy-id": "deploy id", poll: "monitoring data", "snapshot-name": "name of the snapshot" };

function summaryRow([name, action]: [string, Action]): string {
  return `| [${name}](#${name}) | ${action.summary} | ${STDIN[action.stdin]} | ${STDOUT[action.stdout]} | ${limitOf(action)} |`;
}

function section([name, { summary, script, arguments: args, settings }]: [string, Action]): string {
  const call = [script, ...args.map(({ name: argument, optional }) => (optional ? `[${argument}]` : argument))].join(" ");
  const list = args.map(({ name: argument, about, mayBeEmpty }) => `- \`${argument}\`: ${about}${mayBeEmpty ? "; may be empty" : ""}`);
  return [`## ${name}`, "", `${summary}.`, "", "```", call, "```", "", ...list, "", `Settings: ${settings.map((each) => `\`${each}\``).join(", ")}`, ""].join("\n");
}

function monitoring(): readonly string[] {
  return ["## Probes", "", "`onevirt probe NAME` prints what one reports.", "", ...probeRows(false), "Of a tree of 5.x, where all probes make one message:", "", ...probeRows(true)];
}

function probeRows(ofCollectd: boolean): readonly string[] {
  const rows = Object.entries(probes as Readonly<Record<string, Probe>>).filter(([, { category }]) => (category === "collectd") === ofCollectd).map(([name, { file, summary, limitSeconds }]) => `| \`${name}\` | \`${file}\` | ${summary} | ${limitSeconds} |`);
  return ["| probe | file | what it does | limit in seconds |", "|---|---|---|---|", ...rows, ""];
}

function limitOf({ limitSeconds, limitAdds }: Action): string {
  return limitSeconds === null ? "none" : `${limitSeconds}${limitAdds ? ` + \`${limitAdds}\`` : ""}`;
}
