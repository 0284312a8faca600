// Numbers, times and sizes in the reader's language.

const LOCALES = { en: "en-GB", zh: "zh-CN" };
const DURATIONS = [
  { ns: 1, en: "ns", zh: "纳秒" }, { ns: 1e3, en: "µs", zh: "微秒" }, { ns: 1e6, en: "ms", zh: "毫秒" },
  { ns: 1e9, en: "s", zh: "秒" }, { ns: 60e9, en: "min", zh: "分钟" }, { ns: 3600e9, en: "h", zh: "小时" },
  { ns: 86400e9, en: "d", zh: "天" },
];
const SIZES = ["B", "kB", "MB", "GB", "TB", "PB"];
const MS_NS = 1e6;

// Formats are kept: making one takes longer than a thousand uses.
const formats = new Map();
function kept(Format, options) {
  const key = Format.name + state.language + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Format(LOCALES[state.language], options));
  return formats.get(key);
}
function numberFormat(options) { return kept(Intl.NumberFormat, options); }
function count(value) { return numberFormat({ maximumFractionDigits: 0 }).format(value); }
function compact(value) { return numberFormat({ notation: "compact", maximumFractionDigits: 1 }).format(value); }
function figures(value) { return numberFormat({ maximumSignificantDigits: 3 }).format(value); }
function percent(share) {
  const shown = 100 * share;
  const digits = shown !== 0 && shown < 10 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: shown < 99.5 ? 0 : 1 };
  return numberFormat(digits).format(shown) + "%";
}

// A space that does not break keeps a number and its unit together.
function duration(ns) {
  if (ns === null || ns === undefined) return "–";
  if (ns === 0) return `0\u00a0${DURATIONS[2][state.language]}`;
  let unit = DURATIONS[0];
  for (const larger of DURATIONS) if (Math.abs(ns) >= larger.ns * (larger.ns === 86400e9 ? 2 : 0.9995)) unit = larger;
  return `${figures(ns / unit.ns)}\u00a0${unit[state.language]}`;
}
function bytes(value) {
  let power = 0;
  while (power < SIZES.length - 1 && Math.abs(value) >= 999.5 * 1000 ** power) power += 1;
  return `${figures(value / 1000 ** power)}\u00a0${SIZES[power]}`;
}
function rate(mbps) { return text("rate", figures(mbps)); }

// The trace's local time is shown as it is: everything is computed in UTC, so the reader's own time zone never counts.
function momentOf(ns) { return START_MS + ns / MS_NS; }
function date(ms, options) {
  return kept(Intl.DateTimeFormat, { timeZone: "UTC", ...options }).format(new Date(ms));
}
function longDate(ms) { return date(ms, { weekday: "long", year: "numeric", month: "long", day: "numeric" }); }
function clock(ms) { return date(ms, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }); }
function shortDate(ms) { return date(ms, { day: "numeric", month: "short" }); }
function moment(ms) { return LONG ? `${shortDate(ms)} ${clock(ms)}` : clock(ms); }
function period(fromNs, toNs) { return `${moment(momentOf(fromNs))}–${clock(momentOf(toNs))}`; }
function axisTime(ms) { return ms % 86400000 === 0 && LONG ? shortDate(ms) : clock(ms); }

function text(key, value) {
  const found = TEXTS[state.language][key];
  return typeof found === "function" ? found(value) : found;
}
function word(group, key) { return TEXTS[state.language][group][key] ?? key; }
function named(name, labelZh) { return state.language === "zh" && labelZh ? labelZh : name; }

function stationLabel(label) {
  const [role, name, zh] = label;
  if (role !== "line") return `${named(name, zh)} · ${word("roles", role)}`;
  const [, , , other, otherZh, carrier] = label;
  return `${named(name, zh)} → ${named(other, otherZh)}${carrier === null ? "" : ` · ${carrier}`}`;
}
