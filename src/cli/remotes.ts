import { defineCommand } from "citty";

/** `onevirt remotes …`: the tree that onehost sync ships. */
export default defineCommand({
  meta: { name: "remotes", description: "Write, install or take back the tree that onehost sync ships" },
  subCommands: {
    write: defineCommand({
      meta: { name: "write", description: "Write the files that belong into a remotes tree, this executable among them, to an empty directory" },
      args: { directory: { type: "positional", required: true, description: "Where to; made when it does not exist" } },
      run: async ({ args }) => (await import("../remotes/write.ts")).writeTree(args.directory),
    }),
  },
});
