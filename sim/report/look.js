// How every chart looks and is drawn: frames, axes, tooltips.

const charts = new Map();
const unseen = new Map();
const AHEAD = 400; // pixels below and above the window within which charts are drawn already

// A chart is drawn when it comes into view: `option` may be a function, which is asked for then. `after` gets the chart.
function draw(id, option, description, after) {
  const holder = byId(id);
  holder.setAttribute("aria-label", description);
  unseen.set(id, { option, after });
  holder.setAttribute("aria-busy", "true");
  if (near(holder)) build(id);
  else {
    watcher.observe(holder);
    if (!charts.has(id)) drawWhenIdle();
  }
}
// What nobody has scrolled to is drawn when there is nothing else to do, once: a picture of the whole page has it then.
const whenIdle = window.requestIdleCallback ?? ((then) => setTimeout(then, 100)); // not every browser has it
let waitingForIdle = false;
function drawWhenIdle() {
  if (waitingForIdle) return;
  waitingForIdle = true;
  whenIdle(() => {
    waitingForIdle = false;
    const next = [...unseen.keys()].find((id) => !charts.has(id) && byId(id).clientWidth > 0);
    if (next === undefined) return;
    build(next);
    drawWhenIdle();
  });
}
function near(holder) {
  if (document.documentElement.classList.contains("printing")) return true;
  const { top, bottom, width } = holder.getBoundingClientRect();
  return width > 0 && bottom > -AHEAD && top < innerHeight + AHEAD;
}
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting && unseen.has(target.id)) build(target.id);
}, { rootMargin: `${AHEAD}px` });
function build(id) {
  const { option, after } = unseen.get(id);
  unseen.delete(id);
  watcher.unobserve(byId(id));
  byId(id).removeAttribute("aria-busy");
  if (!charts.has(id)) charts.set(id, echarts.init(byId(id), null, { renderer: "canvas" }));
  const chart = charts.get(id);
  chart.setOption({ ...common(), ...(typeof option === "function" ? option() : option) }, { notMerge: true });
  after?.(chart);
}
function sizeOf(id) {
  const chart = charts.get(id);
  return chart ? { width: chart.getWidth(), height: chart.getHeight() } : { width: byId(id).clientWidth, height: byId(id).clientHeight };
}
function common() {
  return {
    animation: false,
    useUTC: true,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: token("ink") },
  };
}
function tooltip(option) {
  return {
    confine: true, transitionDuration: 0, padding: [8, 11], borderWidth: 1, borderColor: token("rule"),
    backgroundColor: token("surface"), textStyle: { color: token("ink") }, extraCssText: "box-shadow: 0 4px 18px rgba(0,0,0,.16)", ...option,
  };
}
function emptyChart(message) {
  return { title: { text: message, left: "center", top: "middle", textStyle: { fontSize: 14, fontWeight: 400, color: token("muted") } } };
}
const AXIS_TEXT = 12;
function axisLook() {
  return {
    axisLine: { lineStyle: { color: token("rule") } },
    axisTick: { lineStyle: { color: token("rule") } },
    axisLabel: { color: token("muted"), fontSize: AXIS_TEXT, hideOverlap: true },
    splitLine: { lineStyle: { color: token("grid") } },
  };
}
function timeAxis(endNs, extra = {}) {
  const look = axisLook();
  return {
    ...look, type: "time", min: START_MS, max: momentOf(endNs), minInterval: 3600e3, splitNumber: 6,
    axisLabel: { ...look.axisLabel, formatter: axisTime }, splitLine: { show: false }, ...extra,
  };
}
function valueAxis(format, extra = {}) {
  const look = axisLook();
  return { ...look, type: "value", splitNumber: 4, axisLine: { show: false }, axisTick: { show: false }, axisLabel: { ...look.axisLabel, formatter: format }, ...extra };
}
// A value holds until the next one begins.
function steps(startsMs, values, endMs) {
  return startsMs.flatMap((ms, index) => [[ms, values[index]], [startsMs[index + 1] ?? endMs, values[index]]]);
}
function indexAt(startsMs, ms) {
  let at = 0;
  while (at + 1 < startsMs.length && startsMs[at + 1] <= ms) at += 1;
  return at;
}
