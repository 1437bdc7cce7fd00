/** The machine's time, for waiting that can be called off. */
export const systemTimers = {
  nowMs: (): number => performance.now(),
  after: (ms: number, run: () => void): (() => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
