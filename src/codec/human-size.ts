const UNITS = ["", "K", "M", "G", "T", "P", "E"];

/** A size as `du -h` writes it: rounded up, with one decimal below ten units. */
export function humanSize(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  if (unit === 0) return String(bytes);
  const tenths = Math.ceil(value * 10) / 10;
  if (tenths < 10) return `${tenths.toFixed(1)}${UNITS[unit]}`;
  const whole = Math.ceil(value);
  return whole < 1024 || unit === UNITS.length - 1 ? `${whole}${UNITS[unit]}` : `1.0${UNITS[unit + 1]}`;
}
