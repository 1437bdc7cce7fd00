/** Two decimals at most and one at least, as OpenNebula's own probes print a rounded number. */
export function decimal(value: number): string {
  const rounded = Math.round(value * 100) / 100 + 0; // no negative zero
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
}
