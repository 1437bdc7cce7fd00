import { openSync } from "node:fs";
import { buildInfo } from "../core/build-info.ts";
import { closing, copyBytes, digestOf } from "./bytes.ts";
import { attempt, refusal } from "./failure.ts";

/** The executable that install puts into the tree. */
export interface Program {
  readonly build: { readonly version: string; readonly buildId: string };
  readonly arch: string;
  readonly sha256: string;
  readonly write: (fd: number) => void;
}

/** This very process's executable, even when its name stands for a newer file by now. Run from the sources there is none. */
export function thisProgram(): Program {
  if (buildInfo.buildId === "sources") throw refusal("install onevirt", "this is not the built executable", "npm run build, then dist/onevirt remotes install");
  return programFrom("/proc/self/exe", buildInfo);
}

/** Any file as the executable. */
export function programFrom(path: string, { version, buildId }: Program["build"], arch: string = process.arch): Program {
  const open = (): number => attempt("read", path, () => openSync(path, "r"));
  return { build: { version, buildId }, arch, sha256: closing(open(), digestOf), write: (fd) => closing(open(), (file) => copyBytes(file, fd)) };
}
