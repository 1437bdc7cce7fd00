import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { gatherFacts, type MigrationFacts } from "../migration/facts.ts";
import { Journal } from "../migration/journal.ts";
import type { MigrationPlan } from "../migration/plan-text.ts";
import { type Finding, namesOf, preflight } from "../migration/preflight.ts";
import type { ActionInput } from "./action.ts";
import { readMigration } from "./migrate.ts";
import { withCopies } from "./migration-prepare.ts";

const LOOK_SECONDS = 35;

/** What `migrate` would do with this input. Asks both sides, changes nothing, takes no lock. */
export async function planMigration(input: ActionInput, context: Context): Promise<MigrationPlan> {
  const { request, options } = await readMigration(input, context);
  using destination = context.hypervisorAt(request.destinationUri);
  const deadline = context.deadline.within(LOOK_SECONDS);
  const domain = await context.hypervisor.find(request.ref, deadline);
  const open = new Journal(context.files, context.settings.onevirt.STATE_DIRECTORY).find(domain?.uuid ?? request.ref);
  if (!domain) return { request, options, open, facts: undefined, findings: [...namesOf(request), refusal(`this host has no domain "${request.ref}"`)] };
  const facts = await gatherFacts(domain, request.shared, { source: context.hypervisor, destination, files: context.files }, deadline).catch(unreachable);
  if ("kind" in facts) return { request, options, open, facts: undefined, findings: [...namesOf(request), facts] };
  return { request, open, facts, options: withCopies(options, facts.disks), findings: preflight(facts, request, options) };
}

/** A side that does not answer is a reason to refuse like any other. */
function unreachable(error: unknown): Finding | MigrationFacts {
  if (error instanceof OnevirtError && hasCode(error, "LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT")) return refusal(`a side does not answer: ${messageOf(error)}`);
  throw error;
}

function refusal(text: string): Finding {
  return { kind: "refusal", text };
}
