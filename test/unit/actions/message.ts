/** A driver message with these parts, as oned writes it: attribute values in CDATA. */
export function driverMessage({ vm = "", datastore = "" }: { readonly vm?: string; readonly datastore?: string } = {}): string {
  return `<VMM_DRIVER_ACTION_DATA><HOST>h</HOST><VM><ID>7</ID>${vm}</VM><DATASTORE>${datastore}</DATASTORE></VMM_DRIVER_ACTION_DATA>`;
}
