import { refusal, SPICE_ELEMENTS } from "../fragment.ts";
import { defaultText, sameElements } from "./default-text.ts";
import { type Importer, note, type Piece, raw, type RawPiece, vector, type VectorPiece, type Wild } from "./piece.ts";
import { hasOnly, rawText } from "./raw-text.ts";
import type { Reading } from "./reading.ts";

/** GRAPHICS, the first display that OpenNebula knows, with VIDEO and what belongs to SPICE; further displays in RAW. */
export const display: Importer = (wild) => {
  const all = wild.devices?.children("graphics") ?? [];
  const own = all.find(({ element }) => ["vnc", "spice"].includes(element.attributes["type"] ?? ""));
  const others = all.filter((each) => each !== own).flatMap((each) => [otherDisplay(wild, each), ...hiddenPassword(wild, each)]);
  const spice = own?.attribute("type") === "spice" ? spiceDevices(wild) : { pieces: [], usual: false };
  return [...(own ? graphics(wild, own) : []), ...spice.pieces, ...others, ...(spice.usual ? [] : video(wild))];
};

/** A password is only printed when somebody asks for it. */
function otherDisplay({ options }: Wild, own: Reading): RawPiece {
  const { passwd, passwdValidTo, ...attributes } = own.element.attributes;
  own.finish();
  const secret = options.passwords ? { ...(passwd === undefined ? {} : { passwd }), ...(passwdValidTo === undefined ? {} : { passwdValidTo }) } : {};
  return { kind: "raw", parent: "devices", element: { ...own.element, attributes: { ...attributes, ...secret } } };
}

function hiddenPassword({ options }: Wild, { element }: Reading): readonly Piece[] {
  return element.attributes["passwd"] === undefined || options.passwords ? [] : [note(`the ${element.attributes["type"] ?? ""} display has a password: --passwords makes it part of the template`)];
}

function graphics(wild: Wild, own: Reading): readonly Piece[] {
  const { options } = wild;
  const listen = own.children("listen").find((each) => each.element.attributes["type"] === "address");
  listen?.attribute("type");
  const address = listen?.attribute("address");
  const plain = own.attribute("listen");
  const port = own.attribute("port");
  const automatic = own.attribute("autoport") === "yes" || port === "-1";
  const entries = {
    TYPE: own.attribute("type"), LISTEN: address ?? plain, PORT: automatic ? undefined : port,
    PASSWD: options.passwords ? own.attribute("passwd") : undefined, KEYMAP: own.attribute("keymap"),
  };
  return [...vector("GRAPHICS", entries), ...hiddenPassword(wild, own)];
}

/** Devices that go with a SPICE display. Where they are the usual ones, the driver defaults bring them, the picture included. */
function spiceDevices(wild: Wild): { readonly pieces: readonly Piece[]; readonly usual: boolean } {
  const related = (wild.devices?.all() ?? []).filter(({ name, element: { attributes } }) => name === "sound" || name === "redirdev" || (name === "channel" && attributes["type"] === "spicevmc"));
  const pictures = wild.devices?.children("video") ?? [];
  const text = (of: readonly Reading[]) => of.map(({ element }) => rawText(element)).join("\n");
  if (sameElements(text([...pictures, ...related]), defaultText(wild.arch, "SPICE_OPTIONS"))) {
    for (const each of [...pictures, ...related]) each.finish();
    return { pieces: [], usual: true };
  }
  const allowed = related.filter((each) => refusal(text([each]), "SPICE_OPTIONS", SPICE_ELEMENTS) === undefined);
  for (const each of allowed) each.finish();
  return { pieces: [{ kind: "single", name: "SPICE_OPTIONS", value: text(allowed) }], usual: false };
}

const TYPES = ["none", "vga", "cirrus", "virtio"];

/** VIDEO, for the first picture that it can express; further ones in RAW. */
function video({ devices }: Wild): readonly Piece[] {
  const all = devices?.children("video") ?? [];
  const first = all.find((each) => asVideo(each) !== undefined);
  return all.flatMap((each): readonly Piece[] => (each === first ? (asVideo(each) ?? []) : [raw("devices", each)]));
}

function asVideo(own: Reading): readonly VectorPiece[] | undefined {
  const [model, driver] = [own.child("model"), own.child("driver")];
  const { type = "", vram, heads = "1", primary = "yes", ...others } = model?.element.attributes ?? {};
  const { iommu, ats, ...further } = driver?.element.attributes ?? {};
  const sizes = (model?.all() ?? []).filter(({ name }) => name === "resolution");
  const parts = hasOnly(own.element, [], ["model", "driver"]) && (!driver || driver.all().length === 0) && sizes.every(({ element }) => hasOnly(element, ["x", "y"]));
  const known = parts && TYPES.includes(type) && heads === "1" && primary === "yes" && Object.keys({ ...others, ...further }).length === 0 && sizes.length === (model?.all().length ?? 0);
  if (!known) return undefined;
  own.finish();
  const size = sizes[0]?.element.attributes;
  return vector("VIDEO", { TYPE: type, VRAM: Number(vram) >= 1024 ? vram : undefined, RESOLUTION: size ? `${size["x"] ?? ""}x${size["y"] ?? ""}` : undefined, IOMMU: iommu === "on" ? "YES" : undefined, ATS: ats === "on" ? "YES" : undefined });
}
