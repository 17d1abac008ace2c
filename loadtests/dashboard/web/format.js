/* Numbers as people read them: three digits, with their units. */

const DIGITS = 3;

/** Write a number with three digits: 0.123, 1.23, 12.3, 123, 1234. */
export function digits(value) {
  if (value === 0) return "0";
  // Of what will be written: 9.999 is 10.0.
  const size = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(DIGITS)))));
  return value.toFixed(Math.max(0, Math.min(6, DIGITS - 1 - size)));
}

/** Write an amount of data in the binary units of the scenario files. */
export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1023.5 && unit < units.length - 1) { count /= 1024; unit += 1; }
  return `${unit ? digits(count) : Math.round(count)} ${units[unit]}`;
}

export const rate = (perSecond) => `${bytes(perSecond)}/s`;

/** Write a duration; below a second in milliseconds. */
export function seconds(value) {
  if (value === null) return "–";
  return Math.abs(value) < 0.9995 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
}

/** Write how often the file was sent. */
export const copies = (value) => (value === 1 ? "1 copy" : `${digits(value)} copies`);

/** Choose round marks from 0 to at least `largest`. */
export function marks(largest, about = 4) {
  const rough = largest / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  // A hair above the last mark is not worth another.
  const count = Math.max(1, Math.ceil(largest / step - 0.02));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** Write a mark of an axis, without zeros that say nothing. */
export const mark = (value) => String(Number(value.toPrecision(DIGITS)));
