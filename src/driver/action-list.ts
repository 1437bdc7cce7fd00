/** Actions named in `-l` or `-d`, each with the script that takes its place, or "" (driver-protocol.md 7.1). */
export type ActionList = ReadonlyMap<string, string>;

/** Reads `action,action=script`. Both spellings of a name are the same: `attachdisk` and `attach_disk` (7.2). */
export function parseActionList(text: string): ActionList {
  return new Map(text.split(",").flatMap((item) => {
    const [, name, script] = /([^=]+)(?:=(.*))?/.exec(item.trim()) ?? [];
    return name === undefined ? [] : [[plainName(name), script ?? ""] as const];
  }));
}

/** Whether a step or an action is in the list. */
export function listed(list: ActionList, name: string): boolean {
  return list.has(plainName(name));
}

/** The file name that takes the place of the step's own script: undefined for none. A path would leave the action's directory, so it is none. */
export function overrideOf(list: ActionList, name: string): string | undefined {
  const script = list.get(plainName(name));
  return script && !script.includes("/") && script !== ".." ? script : undefined;
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll("_", "");
}
