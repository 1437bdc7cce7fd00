import { join } from "node:path";
import { OnevirtError } from "../core/errors.ts";
import type { Files } from "../core/ports.ts";

/** A system snapshot that libvirt forgets for the migration, and must be told of again. */
export interface KeptSnapshot {
  readonly name: string;
  /** With passwords. */
  readonly xml: string;
}

/** What was about to be done last: everything before it has been done, or may have been. */
export type Phase = "prepare" | "migrate" | "commit" | "roll back";

/** What one migration must remember until the VM is at rest on one side. */
export interface JournalEntry {
  readonly uuid: string;
  readonly name: string;
  readonly source: string;
  readonly destination: string;
  readonly destinationUri: string;
  readonly phase: Phase;
  /** Whether the guest ran: then it must run again afterwards. */
  readonly wasRunning: boolean;
  /** Whether the destination had a definition of the VM before; otherwise one that is left there is ours. */
  readonly definedBefore: boolean;
  readonly snapshots: readonly KeptSnapshot[];
  readonly currentSnapshot: string | undefined;
  /** Files and links that were made on the destination, in order. */
  readonly made: readonly string[];
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NAME = /^migration-([0-9a-f-]{36})\.json$/;

/** Passwords of the console stand in the documents of snapshots. */
const FILE_MODE = 0o600;
const MAX_BYTES = 16 * 1024 * 1024;

/** What a killed migration leaves for the next one: one file for each VM in the state directory, written whole and flushed before each step. */
export class Journal {
  constructor(
    private readonly files: Files,
    private readonly directory: string,
  ) {}

  /** The entry of a VM, by UUID or name; undefined when no migration of it is open. FILE_FAILED when there is one that cannot be read. */
  find(ref: string): JournalEntry | undefined {
    if (UUID.test(ref.toLowerCase())) return this.#read(ref.toLowerCase());
    return this.all().find(({ name }) => name === ref);
  }

  /** All open migrations of this host. */
  all(): readonly JournalEntry[] {
    return this.files.names(this.directory).flatMap((name) => this.#read(NAME.exec(name)?.[1] ?? "") ?? []);
  }

  /** Writes an entry; gives it back. */
  write(entry: JournalEntry): JournalEntry {
    this.files.writeAtomic(this.#path(entry.uuid), JSON.stringify({ version: 1, ...entry }), FILE_MODE);
    return entry;
  }

  /** The migration is over, and nothing of it is left to do. */
  close(uuid: string): void {
    if (this.files.kind(this.#path(uuid)) !== undefined) this.files.remove(this.#path(uuid));
  }

  /** Where the entry of a VM stands, for messages. */
  pathOf(uuid: string): string {
    return this.#path(uuid);
  }

  #path(uuid: string): string {
    return join(this.directory, `migration-${uuid}.json`);
  }

  #read(uuid: string): JournalEntry | undefined {
    if (!UUID.test(uuid)) return undefined;
    const text = this.files.findText(this.#path(uuid), MAX_BYTES);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value?.uuid !== uuid || typeof value.destinationUri !== "string" || !Array.isArray(value.snapshots) || !Array.isArray(value.made))
      throw new OnevirtError("FILE_FAILED", `Cannot read the journal of a migration, "${this.#path(uuid)}": it is damaged`, { hint: "look at both hosts, then remove the file" });
    return value;
  }
}

function parse(text: string): JournalEntry | undefined {
  try {
    return JSON.parse(text) as JournalEntry;
  } catch {
    return undefined;
  }
}
