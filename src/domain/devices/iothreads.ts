import { textElement } from "../element.ts";
import type { Contributor } from "../facts.ts";
import { derived } from "../source.ts";

/** `<iothreads>`, when disks get threads of their own. */
export const iothreads: Contributor = ({ ioThreads }) =>
  ioThreads.count > 0 ? [textElement("iothreads", derived(ioThreads.count, ioThreads), { rule: "FEATURES/IOTHREADS threads for disks" })] : [];
