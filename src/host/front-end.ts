import { accessSync, constants, existsSync, readFileSync, readdirSync, statSync } from "node:fs";

/** The front-end's files as its driver looks at them: what cannot be read is not there. */
export const frontEndFiles = {
  isDirectory: (path: string): boolean => attempt(() => statSync(path).isDirectory()) ?? false,
  exists: (path: string): boolean => existsSync(path),
  isExecutable: (path: string): boolean => attempt(() => (accessSync(path, constants.X_OK), true)) ?? false,
  findBytes: (path: string): Uint8Array | undefined => attempt(() => readFileSync(path)),
  names: (directory: string): readonly string[] => attempt(() => readdirSync(directory)) ?? [],
};

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
