// The plan as a heat map: days by hours. A page that shows it has `measure` and `pool` in its state.

const UTILISATIONS = ["peak_mean", "peak_unheld", "peak_high"];
const MEASURES = [...UTILISATIONS, "churn", "held_share", "servers"];
const HOUR_MS = 3600e3;
const DAY_MS = 24 * HOUR_MS;
const LOADS = [0, 1, 2, 3, 4, 5];

function planValues(plan, measure, pool) {
  if (measure !== "servers" || pool === "all") return plan[measure];
  return plan.pools[pool].lent;
}
function planFormat(measure) { return measure === "servers" ? count : percent; }
// Measures of one kind share a scale, so that what holds gain is seen when one switches.
function planScale(plan, measure, pool) {
  const alike = UTILISATIONS.includes(measure) ? UTILISATIONS : [measure];
  const most = alike.flatMap((one) => planValues(plan, one, pool)).reduce((a, b) => Math.max(a, b), 0);
  return most > 0 ? most : 1;
}
function planMoment(plan, slot) { return Date.parse(`${plan.begin}Z`) + slot * plan.slot_ns / MS_NS; }
function planDay(plan, slot) { return Math.floor(planMoment(plan, slot) / DAY_MS) - Math.floor(planMoment(plan, 0) / DAY_MS); }
function planHour(plan, slot) { return Math.floor((planMoment(plan, slot) % DAY_MS) / HOUR_MS); }
function dayMarks(day) {
  const kind = day.kind === "workday" ? [] : [day.kind];
  return [...kind, ...day.marks, ...(day.provisional ? ["provisional"] : [])].map((mark) => text("plan.marks")[mark]);
}
function dayName(day) { return date(Date.parse(`${day.date}T00:00:00Z`), { weekday: "short", day: "numeric", month: "short" }); }
function planOption(plan, measure, pool, width) {
  const values = planValues(plan, measure, pool);
  const format = planFormat(measure);
  const narrow = width < 560;
  const look = axisLook();
  const days = plan.days.map((day) => ({ value: [dayName(day), ...(narrow ? [] : dayMarks(day))].join(" · ") }));
  const left = narrow ? 104 : 216;
  return {
    grid: { left, right: narrow ? 8 : 20, top: 8, bottom: 78 },
    xAxis: {
      ...look, type: "category", data: Array.from({ length: 24 }, (_, hour) => `${String(hour).padStart(2, "0")}:00`), splitLine: { show: false },
      axisLabel: { ...look.axisLabel, interval: narrow ? 5 : 2 }, axisTick: { show: false },
    },
    yAxis: { ...look, type: "category", inverse: true, data: days, axisTick: { show: false }, splitLine: { show: false },
      axisLabel: { color: token("ink"), fontSize: 12.5, interval: 0, width: left - 14, overflow: "truncate" } },
    visualMap: {
      min: 0, max: planScale(plan, measure, pool), calculable: false, orient: "horizontal", left: narrow ? "center" : left, bottom: 4, itemWidth: 12, itemHeight: narrow ? 150 : 220,
      formatter: format, text: [format(planScale(plan, measure, pool)), format(0)], textStyle: { color: token("muted"), fontSize: 12 },
      inRange: { color: LOADS.map((step) => token(`load-${step}`)) },
    },
    tooltip: tooltip({
      trigger: "item",
      formatter: ({ dataIndex: slot }) => tip(text("plan.hour", { day: dayName(plan.days[planDay(plan, slot)]), hour: clock(planMoment(plan, slot)) }), [
        ...MEASURES.map((one) => [text("measures")[one], planFormat(one)(plan[one][slot])]),
        ...(measure === "servers" && pool !== "all" ? [[named(plan.pools[pool].name, plan.pools[pool].label_zh), count(values[slot])]] : []),
        [text("plan.exchanges"), figures(plan.exchanges[slot])], [text("plan.bytes"), bytes(plan.payload_bytes[slot])]]),
    }),
    series: [{
      type: "heatmap", name: text("measures")[measure], data: values.map((value, slot) => [planHour(plan, slot), planDay(plan, slot), value]),
      itemStyle: { borderColor: token("surface"), borderWidth: 1 }, emphasis: { itemStyle: { borderColor: token("ink"), borderWidth: 1.5 } },
    }],
  };
}

function planControls() {
  segments("plan-measure", text("plan.shown"), MEASURES.map((value) => ({ value, name: text("measures")[value] })), state.measure, (chosen) => {
    state.measure = chosen;
    planControls();
    drawPlan();
  });
  const pools = [{ value: "all", name: text("plan.all_pools") }, ...FACTS.plan.pools.map((pool, value) => ({ value, name: named(pool.name, pool.label_zh) }))];
  segments("plan-pool", text("plan.pool"), pools, state.pool, (chosen) => { state.pool = chosen; planControls(); drawPlan(); });
  byId("plan-pool-control").hidden = state.measure !== "servers" || FACTS.plan.pools.length < 2;
  byId("plan-measure-title").textContent = text("measures")[state.measure];
  byId("plan-measure-note").textContent = text("measure_notes")[state.measure];
}
function drawPlan() {
  byId("chart-plan").style.height = `${90 + 30 * FACTS.plan.days.length}px`;
  charts.get("chart-plan")?.resize();
  draw("chart-plan", planOption(FACTS.plan, state.measure, state.pool, sizeOf("chart-plan").width), text("plan.describe", text("measures")[state.measure]));
}
