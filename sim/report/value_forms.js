// How the values of a study's blocks are written: by their form, in the reader's language.

const FAR_CHANGE = 3; // four times as much: from here a factor says more than a share
function said(words) { return words === null || words === undefined ? "" : words[state.language === "zh" ? 1 : 0]; }

// Shares keep two figures however small; minus is a minus sign, not a hyphen.
function minus(written) { return written.replaceAll("-", "−"); }
function shareText(share) { return (share < 0 ? "−" : "") + percent(Math.abs(share)); }
function changeText(change) {
  if (change >= FAR_CHANGE) return text("form.times", figures(1 + change));
  return (change > 0 ? "+" : "") + shareText(change);
}
// Three significant figures, in powers of ten where zeros would hide them.
function numberText(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e12)) return minus(numberFormat({ notation: "scientific", maximumSignificantDigits: 3 }).format(value));
  return minus(figures(value));
}
const ISO_DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?$/;
// Local time as it was written, in milliseconds as if it were UTC; NaN for what is no date.
function dateMs(iso) {
  const found = ISO_DATE.exec(iso);
  return found ? Date.UTC(+found[1], found[2] - 1, +found[3], +(found[4] ?? 0), +(found[5] ?? 0), +(found[6] ?? 0)) : NaN;
}
function dateText(iso) {
  const ms = typeof iso === "string" ? dateMs(iso) : NaN;
  if (Number.isNaN(ms)) return String(iso);
  const day = date(ms, { year: "numeric", month: "short", day: "numeric" });
  return iso.length > 10 ? `${day} ${clock(ms)}` : day;
}
const FORMS = {
  text: (value) => (typeof value === "number" ? numberText(value) : String(value)),
  count: (value) => minus(count(value)),
  number: numberText,
  ns: (value) => minus(duration(value)),
  share: shareText,
  change: changeText,
  bytes: (value) => minus(bytes(value)),
  hours: (value) => text("form.hours", numberText(value)),
  mbps: (value) => minus(rate(value)),
  cost: (value) => (Math.abs(value) >= 1000 ? minus(count(value)) : numberText(value)),
  date: dateText,
};
const NUMBERLESS = ["text", "date"];

// A cell's value in words: a text in both languages, a plain text, or a number by its form.
function formed(form, value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return said(value) || "–";
  if (value === "") return "–";
  return typeof value === "string" && form !== "date" ? value : FORMS[form](value);
}
