import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { isActive } from "../core/states.ts";
import { datastoreFindings } from "../migration/datastore-plan.ts";
import type { DatastorePlan } from "../migration/datastore-plan-text.ts";
import { gatherFacts, type MigrationFacts } from "../migration/facts.ts";
import { Journal } from "../migration/journal.ts";
import type { MigrationPlan } from "../migration/plan-text.ts";
import { type Finding, namesOf, preflight } from "../migration/preflight.ts";
import type { MigrationRequest } from "../migration/request.ts";
import type { ActionInput } from "./action.ts";
import { readMoves } from "./datastore-move.ts";
import { type DatastoreChange, datastoreChange, readMigration } from "./migrate.ts";
import { withCopies } from "./migration-prepare.ts";
import { witnessesOf } from "./migration-run.ts";

const LOOK_SECONDS = 35;

/** What `migrate` would do with this input. Asks both sides, changes nothing, takes no lock. */
export async function planMigration(input: ActionInput, context: Context): Promise<MigrationPlan | DatastorePlan> {
  const { request, options } = await readMigration(input, context);
  const change = datastoreChange(request);
  if (change) return planDatastore(request, change, context);
  using destination = context.hypervisorAt(request.destinationUri);
  const deadline = context.deadline.within(LOOK_SECONDS);
  const domain = await context.hypervisor.find(request.ref, deadline);
  const open = new Journal(context.files, context.settings.onevirt.STATE_DIRECTORY).find(domain?.uuid ?? request.ref);
  if (!domain) return { request, options, open, facts: undefined, findings: [...namesOf(request), refusal(`this host has no domain "${request.ref}"`)] };
  const facts = await gatherFacts(domain, request.shared, { ...witnessesOf({ request, options, context }), destination }, deadline).catch(unreachable);
  if ("kind" in facts) return { request, options, open, facts: undefined, findings: [...namesOf(request), facts] };
  return { request, open, facts, options: withCopies(options, facts.disks), findings: preflight(facts, request, options) };
}

async function planDatastore({ ref, source: host }: MigrationRequest, { from, to }: DatastoreChange, context: Context): Promise<DatastorePlan> {
  const domain = await context.hypervisor.find(ref, context.deadline.within(LOOK_SECONDS));
  const refused = (text: string): DatastorePlan => ({ name: domain?.name ?? ref, host, from, to, moves: undefined, findings: [refusal(text)] });
  if (!domain) return refused(`this host has no domain "${ref}"`);
  if (!isActive(domain.state)) return refused(`"${domain.name}" is not running`);
  const moves = await readMoves(domain, from, to, context);
  return { name: domain.name, host, from, to, moves, findings: datastoreFindings(moves) };
}

/** A side that does not answer is a reason to refuse like any other. */
function unreachable(error: unknown): Finding | MigrationFacts {
  if (error instanceof OnevirtError && hasCode(error, "LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT")) return refusal(`a side does not answer: ${messageOf(error)}`);
  throw error;
}

function refusal(text: string): Finding {
  return { kind: "refusal", text };
}
