// Round places on an axis: of numbers, of spans of time, of dates, and on logarithmic axes.

const SPAN_STEPS_NS = [
  ...Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((one) => one * 10 ** power)).flat(),
  10e9, 15e9, 30e9, 60e9, 120e9, 300e9, 600e9, 900e9, 1800e9, 3600e9, 7200e9, 14400e9, 21600e9, 43200e9, 86400e9, 172800e9, 432000e9,
];
const SPAN_DECADES_NS = [...Array.from({ length: 11 }, (_, power) => 10 ** power), 60e9, 600e9, 3600e9, 36000e9, 86400e9, 864000e9, 8640000e9];
const DAY = 86400000;
const HOUR_STEPS = [1, 2, 3, 6, 12];
const DAY_STEPS = [1, 2, 7, 14];
const MONTH_STEPS = [1, 2, 3, 6];

function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((one) => one * power >= least * (1 - 1e-9));
}
function stepTicks(low, high, step) {
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}
function linearTicks(low, high, form, wanted) {
  const least = (high - low) / wanted;
  if (!(least > 0)) return [low];
  const spanStep = form === "ns" ? SPAN_STEPS_NS.find((one) => one >= least) : undefined;
  const step = spanStep ?? Math.max(form === "count" ? 1 : 0, roundStep(least));
  return stepTicks(low, high, step);
}
// Changes of which one is far stand by factors, so that halving is as far from nothing as doubling.
function byFactors(form, values) {
  return form === "change" && values.some((value) => value > FAR_CHANGE) && values.every((value) => value === null || value > -1);
}
function factorPlace(change) { return Math.log2(1 + change); }
function factorTicks(low, high, wanted) { return stepTicks(low, high, Math.max(1, Math.ceil((high - low) / wanted))).map((power) => 2 ** power - 1); }
// Of a logarithmic axis: values, not their logarithms.
function logTicks(low, high, form, wanted) {
  const powers = Array.from({ length: Math.floor(Math.log10(high)) - Math.floor(Math.log10(low)) + 2 }, (_, at) => Math.floor(Math.log10(low)) + at);
  const within = (values) => values.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
  let ticks = within(form === "ns" ? SPAN_DECADES_NS : powers.map((power) => 10 ** power));
  if (ticks.length < 3) ticks = within(powers.flatMap((power) => [1, 2, 5].map((one) => one * 10 ** power)));
  if (ticks.length < 2) return linearTicks(low, high, form, wanted).filter((value) => value > 0);
  const every = Math.ceil(ticks.length / (wanted + 2));
  return ticks.filter((_, at) => at % every === 0);
}
// Ticks at round local moments, and how they are written.
function dateTicks(low, high, wanted) {
  const least = (high - low) / wanted;
  const hours = HOUR_STEPS.find((one) => one * 3600000 >= least);
  const day = (ms) => shortDate(ms);
  if (hours) return { ticks: stepTicks(low, high, hours * 3600000), show: (ms) => (ms % DAY === 0 ? day(ms) : clock(ms)) };
  const days = DAY_STEPS.find((one) => one * DAY >= least);
  if (days) return { ticks: stepTicks(low, high, days * DAY), show: day };
  const months = MONTH_STEPS.find((one) => one * 30 * DAY >= least) ?? 12 * Math.max(1, roundStep(least / (365 * DAY)));
  const begin = new Date(low);
  const ticks = [];
  for (let month = begin.getUTCFullYear() * 12 + begin.getUTCMonth(); ; month += 1) {
    const ms = Date.UTC(Math.floor(month / 12), month % 12, 1);
    if (ms > high) break;
    if (ms >= low && month % months === 0) ticks.push(ms);
  }
  return { ticks, show: (ms) => date(ms, months >= 12 ? { year: "numeric" } : { year: "numeric", month: "short" }) };
}

// An axis of a picture over these values: what ECharts is told, and where a value stands on it (null: nowhere).
// Logarithmic axes are linear ones of logarithms, with ticks of our own: ECharts' name powers of ten alone.
function planeAxis(axis, values, { wanted, pad = 0.04, zero = false } = {}) {
  const look = axisLook();
  const dates = axis.form === "date";
  const factors = !axis.log && byFactors(axis.form, values);
  const place = (value) => {
    if (value === null || value === undefined) return null;
    if (dates) { const ms = dateMs(value); return Number.isNaN(ms) ? null : ms; }
    if (factors) return factorPlace(value);
    return axis.log ? (value > 0 ? Math.log10(value) : null) : value;
  };
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    const at = place(value);
    if (at !== null) { low = Math.min(low, at); high = Math.max(high, at); }
  }
  if (low > high) return { place, empty: true };
  if (zero && !axis.log && !factors && low > 0 && low < 0.6 * high) low = 0;
  const size = high - low;
  const flat = ["share", "change"].includes(axis.form) ? 0.1 : 1;
  const room = size > 0 ? pad * size : dates ? DAY / 2 : axis.log ? 0.3 : Math.abs(low) * 0.1 || flat;
  const nought = zero && !factors && low === 0;
  if (!nought) low -= room;
  high += size > 0 || !nought ? room : flat;
  const dated = dates ? dateTicks(low, high, wanted) : null;
  const ticks = dated ? dated.ticks
    : factors ? factorTicks(low, high, wanted + 1).map(factorPlace)
    : axis.log ? logTicks(10 ** low, 10 ** high, axis.form, wanted).map(Math.log10) : linearTicks(low, high, axis.form, wanted);
  const show = dated ? dated.show : (at) => formed(axis.form, factors ? Number((2 ** at - 1).toPrecision(6)) : axis.log ? Number((10 ** at).toPrecision(6)) : at);
  return {
    place, low, high, empty: false,
    option: {
      ...look, type: "value", min: low, max: high, axisPointer: { label: { show: false } },
      axisTick: { ...look.axisTick, customValues: ticks }, axisLabel: { ...look.axisLabel, customValues: ticks, formatter: show },
      splitLine: { show: true, customValues: ticks, lineStyle: { color: token("grid") } },
    },
  };
}
