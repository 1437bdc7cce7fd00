import { DomainAccess } from "../../src/libvirt/domain-access.ts";
import type { Library } from "../../src/libvirt/library.ts";

/** A blocking object in this thread, with a connection of its own. */
export function openBlocking<T extends object>(Blocking: new (access: DomainAccess) => T, library: Library, uri: string, readOnly: boolean): T & Disposable {
  const access = new DomainAccess(library, uri, readOnly);
  return Object.assign(new Blocking(access), { [Symbol.dispose]: () => access[Symbol.dispose]() });
}
