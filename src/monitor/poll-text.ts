import { deflateSync } from "node:zlib";
import { isWild, type PollRecord } from "./poll-record.ts";

/** One domain as oned 5.x parses it (actions.md 15.3). Disk counters belong to it since 5.8. */
export function singleForm(record: PollRecord | undefined, withDisks: boolean): string {
  return record ? pairs(record, withDisks, false).map(([key, value]) => `${key}=${value}`).join(" ") : "STATE=-";
}

/** All domains as `VM = [ … ]` templates (actions.md 15.4); the line structure is exact. */
export function templateForm(records: readonly PollRecord[]): string {
  return ["VM_POLL=YES", ...records.map(templateOf)].join("\n");
}

/** All domains as YAML with symbol keys, deflated, base64 (actions.md 15.5). */
export function plainForm(records: readonly PollRecord[]): string {
  const yaml = `---${records.length === 0 ? " {}" : ""}\n${records.map(yamlOf).join("")}`;
  return deflateSync(yaml).toString("base64");
}

function templateOf(record: PollRecord): string {
  const { name, uuid, template } = record;
  const wild = isWild(name);
  const fields = [
    `ID=${/^one-(\d+)$/.exec(name)?.[1] ?? "-1"}`,
    `DEPLOY_ID=${wild ? uuid : name}`,
    ...(wild ? [`VM_NAME="${plain(name)}"`] : []),
    ...(template === undefined ? [] : [`IMPORT_TEMPLATE="${Buffer.from(template).toString("base64")}"`]),
    `POLL="${pairs(record, true, wild).map(([key, value]) => `${key}=${value}`).join(" ")}" ]`,
  ];
  return `VM=[\n${fields.map((field) => `  ${field}`).join(",\n")}`;
}

function pairs({ state, cpu, memoryKiB, netRx, netTx, name, disks }: PollRecord, withDisks: boolean, withName: boolean): readonly (readonly [string, string])[] {
  const values: readonly (readonly [string, string | undefined])[] = [
    ["STATE", state],
    ["CPU", cpu === undefined ? undefined : rubyFloat(cpu)],
    ["MEMORY", String(memoryKiB)], // always there: oned needs a blank behind the state (actions.md 15.8)
    ["NETRX", netRx?.toString()],
    ["NETTX", netTx?.toString()],
    ["VM_NAME", withName ? plain(name) : undefined],
    ...(withDisks ? diskPairs(disks) : []),
  ];
  return values.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
}

function diskPairs(disks: PollRecord["disks"]): readonly (readonly [string, string | undefined])[] {
  return [
    ["DISKRDBYTES", disks?.readBytes.toString()],
    ["DISKWRBYTES", disks?.writeBytes.toString()],
    ["DISKRDIOPS", disks?.reads.toString()],
    ["DISKWRIOPS", disks?.writes.toString()],
  ];
}

function yamlOf(record: PollRecord): string {
  const { name, uuid, template } = record;
  const wild = isWild(name);
  const all = pairs(record, true, false).map(([key, value]) => [key.toLowerCase(), value] as const);
  const firstDisk = all.findIndex(([key]) => key.startsWith("disk"));
  const [head, disks] = firstDisk < 0 ? [all, []] : [all.slice(0, firstDisk), all.slice(firstDisk)];
  const import_ = wild && template !== undefined ? ([["template", Buffer.from(template).toString("base64")], ["vm_name", yamlString(name)]] as const) : [];
  return `${yamlString(wild ? uuid : name)}:\n${[...head, ...import_, ...disks].map(([key, value]) => `  :${key}: ${value}\n`).join("")}`;
}

/** Two decimals at most, one at least, as Ruby prints a rounded float. */
function rubyFloat(value: number): string {
  const rounded = Math.round(value * 100) / 100;
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
}

/** A name between quotes and blanks: its owner may have put both into it. */
function plain(name: string): string {
  return name.replace(/["\s\p{Cc}\\]/gu, "_");
}

/** Quoted where YAML would read something else than text. */
function yamlString(text: string): string {
  if (/^(y|n|yes|no|on|off|true|false|null)$/i.test(text)) return JSON.stringify(text);
  return /^[A-Za-z_][\w.-]*$/.test(text) || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text) ? text : JSON.stringify(text);
}
