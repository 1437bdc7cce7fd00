import type { FFIFunction, Pointer } from "bun:ffi";

/** How a C type of libvirt's headers crosses the FFI. `char *` is memory that somebody must free or provide; `const char *` is borrowed. */
export const C_TYPES = {
  void: "void",
  int: "i32",
  "unsigned int": "u32",
  "unsigned long": "u64",
  "unsigned long long": "u64",
  "long long": "i64",
  "unsigned long *": "ptr",
  "int *": "ptr",
  "char *": "ptr",
  "const char *": "cstring",
  "const char **": "ptr",
  "void *": "ptr",
  virConnectPtr: "ptr",
  virDomainPtr: "ptr",
  "virDomainPtr *": "ptr",
  "virDomainPtr **": "ptr",
  virDomainInfoPtr: "ptr",
  "virDomainStatsRecordPtr *": "ptr",
  "virDomainStatsRecordPtr **": "ptr",
  virDomainSnapshotPtr: "ptr",
  "virDomainSnapshotPtr **": "ptr",
  virDomainBlockJobInfoPtr: "ptr",
  virNodeInfoPtr: "ptr",
  virTypedParameterPtr: "ptr",
  "virTypedParameterPtr *": "ptr",
  virErrorPtr: "ptr",
  virErrorFunc: "ptr",
  virEventTimeoutCallback: "ptr",
  virFreeCallback: "ptr",
  virConnectDomainEventGenericCallback: "ptr",
} as const;

export type CType = keyof typeof C_TYPES;

/** One function of libvirt.so.0: its C types as the API description has them, and the libvirt that brought it. */
interface Prototype {
  readonly returns: CType;
  readonly args: readonly CType[];
  readonly since: string;
  /** Newer than the oldest libvirt that we support (4.5): callers ask `has` first. */
  readonly optional?: true;
  /** Stands in libvirt-qemu.so.0, which has its own API description. */
  readonly library?: "libvirt-qemu";
}

/** Every function that onevirt calls, in libvirt's own names. A test compares each row with libvirt-api.xml. */
export const symbols = {
  virInitialize: { returns: "int", args: [], since: "0.1.0" },
  virGetVersion: { returns: "int", args: ["unsigned long *", "const char *", "unsigned long *"], since: "0.0.3" },
  virSetErrorFunc: { returns: "void", args: ["void *", "virErrorFunc"], since: "0.1.0" },
  virResetError: { returns: "void", args: ["virErrorPtr"], since: "0.1.0" },
  virGetLastErrorCode: { returns: "int", args: [], since: "4.5.0" },
  virGetLastErrorDomain: { returns: "int", args: [], since: "4.5.0" },
  virGetLastErrorMessage: { returns: "const char *", args: [], since: "1.0.6" },

  virConnectOpen: { returns: "virConnectPtr", args: ["const char *"], since: "0.0.3" },
  virConnectOpenReadOnly: { returns: "virConnectPtr", args: ["const char *"], since: "0.0.3" },
  virConnectClose: { returns: "int", args: ["virConnectPtr"], since: "0.0.3" },
  virConnectIsAlive: { returns: "int", args: ["virConnectPtr"], since: "0.9.8" },
  virConnectGetLibVersion: { returns: "int", args: ["virConnectPtr", "unsigned long *"], since: "0.7.3" },
  virConnectGetType: { returns: "const char *", args: ["virConnectPtr"], since: "0.0.3" },
  virConnectGetHostname: { returns: "char *", args: ["virConnectPtr"], since: "0.3.0" },
  virConnectGetCapabilities: { returns: "char *", args: ["virConnectPtr"], since: "0.2.1" },
  virConnectGetDomainCapabilities: {
    returns: "char *", args: ["virConnectPtr", "const char *", "const char *", "const char *", "const char *", "unsigned int"], since: "1.2.7",
  },
  virConnectBaselineCPU: { returns: "char *", args: ["virConnectPtr", "const char **", "unsigned int", "unsigned int"], since: "0.7.7" },
  virConnectCompareCPU: { returns: "int", args: ["virConnectPtr", "const char *", "unsigned int"], since: "0.7.5" },
  virNodeGetInfo: { returns: "int", args: ["virConnectPtr", "virNodeInfoPtr"], since: "0.1.0" },
  virConnectListAllDomains: { returns: "int", args: ["virConnectPtr", "virDomainPtr **", "unsigned int"], since: "0.9.13" },
  virConnectGetAllDomainStats: { returns: "int", args: ["virConnectPtr", "unsigned int", "virDomainStatsRecordPtr **", "unsigned int"], since: "1.2.8" },

  virDomainLookupByID: { returns: "virDomainPtr", args: ["virConnectPtr", "int"], since: "0.0.3" },
  virDomainLookupByName: { returns: "virDomainPtr", args: ["virConnectPtr", "const char *"], since: "0.0.3" },
  virDomainLookupByUUIDString: { returns: "virDomainPtr", args: ["virConnectPtr", "const char *"], since: "0.1.1" },
  virDomainFree: { returns: "int", args: ["virDomainPtr"], since: "0.0.3" },
  virDomainGetName: { returns: "const char *", args: ["virDomainPtr"], since: "0.0.3" },
  virDomainGetUUIDString: { returns: "int", args: ["virDomainPtr", "char *"], since: "0.1.1" },
  virDomainGetID: { returns: "unsigned int", args: ["virDomainPtr"], since: "0.0.3" },
  virDomainGetState: { returns: "int", args: ["virDomainPtr", "int *", "int *", "unsigned int"], since: "0.9.2" },
  virDomainGetInfo: { returns: "int", args: ["virDomainPtr", "virDomainInfoPtr"], since: "0.0.3" },
  virDomainGetXMLDesc: { returns: "char *", args: ["virDomainPtr", "unsigned int"], since: "0.0.3" },
  virDomainGetMetadata: { returns: "char *", args: ["virDomainPtr", "int", "const char *", "unsigned int"], since: "0.9.10" },
  virDomainSetMetadata: {
    returns: "int", args: ["virDomainPtr", "int", "const char *", "const char *", "const char *", "unsigned int"], since: "0.9.10",
  },
  virDomainCreateXML: { returns: "virDomainPtr", args: ["virConnectPtr", "const char *", "unsigned int"], since: "0.5.0" },
  virDomainDefineXMLFlags: { returns: "virDomainPtr", args: ["virConnectPtr", "const char *", "unsigned int"], since: "1.2.12" },
  virDomainUndefineFlags: { returns: "int", args: ["virDomainPtr", "unsigned int"], since: "0.9.4" },
  virDomainDestroy: { returns: "int", args: ["virDomainPtr"], since: "0.0.3" },
  virDomainShutdownFlags: { returns: "int", args: ["virDomainPtr", "unsigned int"], since: "0.9.10" },
  virDomainReboot: { returns: "int", args: ["virDomainPtr", "unsigned int"], since: "0.1.0" },
  virDomainReset: { returns: "int", args: ["virDomainPtr", "unsigned int"], since: "0.9.7" },
  virDomainSuspend: { returns: "int", args: ["virDomainPtr"], since: "0.0.3" },
  virDomainResume: { returns: "int", args: ["virDomainPtr"], since: "0.0.3" },
  virDomainPMWakeup: { returns: "int", args: ["virDomainPtr", "unsigned int"], since: "0.9.11" },

  virDomainAttachDeviceFlags: { returns: "int", args: ["virDomainPtr", "const char *", "unsigned int"], since: "0.7.7" },
  virDomainDetachDeviceFlags: { returns: "int", args: ["virDomainPtr", "const char *", "unsigned int"], since: "0.7.7" },
  virDomainUpdateDeviceFlags: { returns: "int", args: ["virDomainPtr", "const char *", "unsigned int"], since: "0.8.0" },
  virDomainSetMemoryFlags: { returns: "int", args: ["virDomainPtr", "unsigned long", "unsigned int"], since: "0.9.0" },
  virDomainSetVcpusFlags: { returns: "int", args: ["virDomainPtr", "unsigned int", "unsigned int"], since: "0.8.5" },
  virDomainBlockResize: { returns: "int", args: ["virDomainPtr", "const char *", "unsigned long long", "unsigned int"], since: "0.9.8" },

  virDomainSaveFlags: { returns: "int", args: ["virDomainPtr", "const char *", "const char *", "unsigned int"], since: "0.9.4" },
  virDomainSaveImageGetXMLDesc: { returns: "char *", args: ["virConnectPtr", "const char *", "unsigned int"], since: "0.9.4" },
  virDomainRestoreFlags: { returns: "int", args: ["virConnectPtr", "const char *", "const char *", "unsigned int"], since: "0.9.4" },

  virDomainFSFreeze: { returns: "int", args: ["virDomainPtr", "const char **", "unsigned int", "unsigned int"], since: "1.2.5" },
  virDomainFSThaw: { returns: "int", args: ["virDomainPtr", "const char **", "unsigned int", "unsigned int"], since: "1.2.5" },
  virDomainSetTime: { returns: "int", args: ["virDomainPtr", "long long", "unsigned int", "unsigned int"], since: "1.2.5" },
  virDomainQemuAgentCommand: { returns: "char *", args: ["virDomainPtr", "const char *", "int", "unsigned int"], since: "0.10.0", library: "libvirt-qemu" },

  virDomainGetJobStats: { returns: "int", args: ["virDomainPtr", "int *", "virTypedParameterPtr *", "int *", "unsigned int"], since: "1.0.3" },
  virDomainAbortJob: { returns: "int", args: ["virDomainPtr"], since: "0.7.7" },
  virDomainBlockCopy: { returns: "int", args: ["virDomainPtr", "const char *", "const char *", "virTypedParameterPtr", "int", "unsigned int"], since: "1.2.8" },
  virDomainGetBlockJobInfo: { returns: "int", args: ["virDomainPtr", "const char *", "virDomainBlockJobInfoPtr", "unsigned int"], since: "0.9.4" },
  virDomainBlockJobAbort: { returns: "int", args: ["virDomainPtr", "const char *", "unsigned int"], since: "0.9.4" },

  virDomainMigrate3: { returns: "virDomainPtr", args: ["virDomainPtr", "virConnectPtr", "virTypedParameterPtr", "unsigned int", "unsigned int"], since: "1.1.0" },
  virDomainMigrateToURI3: { returns: "int", args: ["virDomainPtr", "const char *", "virTypedParameterPtr", "unsigned int", "unsigned int"], since: "1.1.0" },
  virDomainMigrateSetMaxSpeed: { returns: "int", args: ["virDomainPtr", "unsigned long", "unsigned int"], since: "0.9.0" },
  virDomainMigrateSetMaxDowntime: { returns: "int", args: ["virDomainPtr", "unsigned long long", "unsigned int"], since: "0.8.0" },
  virDomainMigrateStartPostCopy: { returns: "int", args: ["virDomainPtr", "unsigned int"], since: "1.3.3" },

  virTypedParamsAddInt: { returns: "int", args: ["virTypedParameterPtr *", "int *", "int *", "const char *", "int"], since: "1.0.2" },
  virTypedParamsAddULLong: { returns: "int", args: ["virTypedParameterPtr *", "int *", "int *", "const char *", "unsigned long long"], since: "1.0.2" },
  virTypedParamsAddString: { returns: "int", args: ["virTypedParameterPtr *", "int *", "int *", "const char *", "const char *"], since: "1.0.2" },
  virTypedParamsFree: { returns: "void", args: ["virTypedParameterPtr", "int"], since: "1.0.2" },

  virDomainHasCurrentSnapshot: { returns: "int", args: ["virDomainPtr", "unsigned int"], since: "0.8.0" },
  virDomainListAllSnapshots: { returns: "int", args: ["virDomainPtr", "virDomainSnapshotPtr **", "unsigned int"], since: "0.9.13" },
  virDomainRevertToSnapshot: { returns: "int", args: ["virDomainSnapshotPtr", "unsigned int"], since: "0.8.0" },
  virDomainSnapshotCurrent: { returns: "virDomainSnapshotPtr", args: ["virDomainPtr", "unsigned int"], since: "0.8.0" },
  virDomainSnapshotDelete: { returns: "int", args: ["virDomainSnapshotPtr", "unsigned int"], since: "0.8.0" },
  virDomainSnapshotGetName: { returns: "const char *", args: ["virDomainSnapshotPtr"], since: "0.9.5" },
  virDomainSnapshotGetXMLDesc: { returns: "char *", args: ["virDomainSnapshotPtr", "unsigned int"], since: "0.8.0" },
  virDomainSnapshotLookupByName: { returns: "virDomainSnapshotPtr", args: ["virDomainPtr", "const char *", "unsigned int"], since: "0.8.0" },
  virDomainSnapshotCreateXML: { returns: "virDomainSnapshotPtr", args: ["virDomainPtr", "const char *", "unsigned int"], since: "0.8.0" },
  virDomainSnapshotFree: { returns: "int", args: ["virDomainSnapshotPtr"], since: "0.8.0" },
  virDomainListGetStats: { returns: "int", args: ["virDomainPtr *", "unsigned int", "virDomainStatsRecordPtr **", "unsigned int"], since: "1.2.8" },
  virDomainStatsRecordListFree: { returns: "void", args: ["virDomainStatsRecordPtr *"], since: "1.2.8" },

  virEventRegisterDefaultImpl: { returns: "int", args: [], since: "0.9.0" },
  virEventRunDefaultImpl: { returns: "int", args: [], since: "0.9.0" },
  virEventAddTimeout: { returns: "int", args: ["int", "virEventTimeoutCallback", "void *", "virFreeCallback"], since: "0.9.3" },
  virEventRemoveTimeout: { returns: "int", args: ["int"], since: "0.9.3" },
  virConnectDomainEventRegisterAny: {
    returns: "int", args: ["virConnectPtr", "virDomainPtr", "int", "virConnectDomainEventGenericCallback", "void *", "virFreeCallback"], since: "0.8.0",
  },
  virConnectDomainEventDeregisterAny: { returns: "int", args: ["virConnectPtr", "int"], since: "0.8.0" },
} as const satisfies Record<string, Prototype>;

export type SymbolName = keyof typeof symbols;

type FfiOf<C extends CType> = (typeof C_TYPES)[C];
type ArgumentOf<C extends CType> = FfiOf<C> extends "cstring" ? string | null : FfiOf<C> extends "ptr" ? Pointer | NodeJS.TypedArray | null : FfiOf<C> extends "u64" | "i64" ? bigint : number;
type ResultOf<C extends CType> = FfiOf<C> extends "void" ? void : FfiOf<C> extends "cstring" ? string | null : FfiOf<C> extends "ptr" ? Pointer | null : number;
type ArgumentsOf<A extends readonly CType[]> = { -readonly [I in keyof A]: ArgumentOf<A[I]> };

/** The TypeScript signature that follows from a row, so that a missing or wrong argument does not compile. */
export type Calls = { readonly [N in SymbolName]: (...args: ArgumentsOf<(typeof symbols)[N]["args"]>) => ResultOf<(typeof symbols)[N]["returns"]> };

/** The library that has this function. */
export function libraryOf(name: SymbolName): "libvirt" | "libvirt-qemu" {
  const row: Prototype = symbols[name];
  return row.library ?? "libvirt";
}

/** The row as bun:ffi wants it. */
export function ffiOf(name: SymbolName): FFIFunction {
  const row: Prototype = symbols[name];
  return { args: row.args.map((type) => C_TYPES[type]), returns: C_TYPES[row.returns] } as FFIFunction;
}
