import { describe, expect, test } from "bun:test";
import { findPlaces } from "../../../src/remotes/places.ts";

describe("findPlaces()", () => {
  const cases: [string, Parameters<typeof findPlaces>, ReturnType<typeof findPlaces>][] = [
    ["a packaged front-end", [{}, {}], { tree: "/var/lib/one/remotes", backup: "/var/lib/one/onevirt-backup" }],
    ["a self-contained one", [{}, { ONE_LOCATION: "/srv/one" }], { tree: "/srv/one/var/remotes", backup: "/srv/one/var/onevirt-backup" }],
    ["a quoted ONE_LOCATION, as the sync library reads it", [{}, { ONE_LOCATION: "'/srv/one'" }], { tree: "/srv/one/var/remotes", backup: "/srv/one/var/onevirt-backup" }],
    ["an empty ONE_LOCATION", [{}, { ONE_LOCATION: "" }], { tree: "/var/lib/one/remotes", backup: "/var/lib/one/onevirt-backup" }],
    ["the operator's places", [{ tree: "/a/remotes/", backup: "/b/../c" }, { ONE_LOCATION: "/srv/one" }], { tree: "/a/remotes", backup: "/c" }],
    ["a name that only starts like the tree", [{ tree: "/a/remotes", backup: "/a/remotes-backup" }, {}], { tree: "/a/remotes", backup: "/a/remotes-backup" }],
  ];
  test.each(cases)("knows %s", (_what, [options, environment], expected) => {
    expect(findPlaces(options, environment)).toEqual(expected);
  });

  test.each([[{ tree: "" }], [{ backup: "" }], [{ tree: "--json" }]])("refuses %j: an option without a directory is not the default", (options) => {
    expect(() => findPlaces(options, {})).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringMatching(/it is followed by no directory/) }));
  });

  test.each([["/a/remotes"], ["/a/remotes/backup"], ["/a"], ["/a/remotes/../remotes/x"]])("refuses the backup %s", (backup) => {
    expect(() => findPlaces({ tree: "/a/remotes", backup }, {})).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
