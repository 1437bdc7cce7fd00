import { type DomainAccess, takeText } from "./domain-access.ts";
import { VIR } from "./numbers.ts";

/** Saved domains, whole and blocking: the thread's side of `SaveImagePort`. */
export class BlockingSaveImages {
  constructor(private readonly access: DomainAccess) {}

  save(uuid: string, path: string): void {
    this.access.run(uuid, `save domain ${uuid} to ${path}`, (domain) => this.#calls.virDomainSaveFlags(domain, path, null, 0));
  }

  xml(path: string, { secure = false }: { readonly secure?: boolean }): string {
    const connection = this.access.open();
    const flags = secure ? VIR.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE : 0;
    return takeText(connection, `read the document in ${path}`, this.#calls.virDomainSaveImageGetXMLDesc(connection.pointer, path, flags));
  }

  restore(path: string, xml: string | undefined): void {
    const connection = this.access.open();
    connection.check(this.#calls.virDomainRestoreFlags(connection.pointer, path, xml ?? null, 0), `restore the domain in ${path}`);
  }

  get #calls() {
    return this.access.library.calls;
  }
}
