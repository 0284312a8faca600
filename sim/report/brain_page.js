// The page of a brain: its state, its tables, and what happens when the reader chooses something.

const FACTS = JSON.parse(byId("facts").textContent);
const CLASSES = FACTS.learnt.classes;
const PLAN = FACTS.plan;
const START_MS = Date.parse(`${PLAN.begin}Z`);
const LONG = true;
const SECTIONS = ["classes", "tides", "plan", "provenance"];
const EFFECTS = ["weekend", "holiday", "month_end", "reporting", "yearly", "half_yearly"];
const state = { language: readersLanguage(), class: "all", measure: "peak_mean", pool: "all" };

function share(value) { return value === null || value === undefined ? "–" : percent(value); }
function decimal(value) { return value === null || value === undefined ? "–" : numberFormat({ minimumFractionDigits: 3, maximumFractionDigits: 3 }).format(value); }
function day(iso) { return longDate(Date.parse(`${iso.slice(0, 10)}T00:00:00Z`)); }
function masthead() {
  const history = FACTS.history;
  frameTitle(FACTS.run.scenario);
  byId("subtitle").textContent = text("subtitle", {
    history: duration(history.hours * 3600e9), exchanges: count(history.exchanges), first: dayName(PLAN.days[0]), last: dayName(PLAN.days.at(-1)),
  });
  frameStamp(FACTS.run.provenance);
}

function classTable() {
  byId("class-note").textContent = text("classes.note", { relations: count(FACTS.history.relations), classes: count(CLASSES.length) });
  const columns = [{ name: text("col.class"), text: true, wide: true }, { name: text("col.relations") }, { name: text("col.share") }, { name: text("col.bytes_share") }, { name: text("col.mean_size") },
    { name: text("col.priority") }, { name: text("col.hold") }, { name: text("col.chunk") }, { name: text("col.paths") }];
  const rows = CLASSES.map((one) => [
    [element("b", {}, classTitle(one)), element("div", { class: "about" }, state.language === "zh" ? one.description_zh : one.description_en)],
    count(one.relations), share(one.exchanges_share), share(one.bytes_share), bytes(one.mean_bytes), String(one.policy.priority),
    one.policy.deferrable && one.policy.hold_max_ns ? duration(one.policy.hold_max_ns) : text("policy.no_hold"),
    one.policy.chunk_bytes ? bytes(one.policy.chunk_bytes) : text("policy.whole"), String(one.policy.paths)].map((content) => ({ content })));
  fill("class-table", table(text("classes.title"), columns, rows));
}
// The further from a plain day, the stronger the shade; up and down have a colour each.
function effect(value) {
  if (value === null || value === undefined) return "–";
  const strength = Math.min(1, Math.abs(Math.log2(Math.max(value, 1 / 16))) / 3);
  return element("span", { class: "effect", style: { backgroundColor: `color-mix(in srgb, var(--brain-${value >= 1 ? 1 : 0}) ${Math.round(45 * strength)}%, transparent)` } }, `${figures(value)} ×`);
}
function effectTable() {
  const present = EFFECTS.filter((name) => CLASSES.some((one) => (one.effects[name] ?? null) !== null));
  const columns = [{ name: text("col.class"), text: true, wide: true }, ...present.map((name) => ({ name: word("effects", name) }))];
  fill("effect-table", table(text("effects.title"), columns, CLASSES.map((one) => [classTitle(one), ...present.map((name) => ({ content: effect(one.effects[name]) }))])));
}
function countTable() {
  const counts = FACTS.learnt.counts;
  if (!counts.length) { fill("count-table", element("p", { class: "note" }, text("counts.none"))); return; }
  const columns = [{ name: text("col.classes"), text: true }, { name: text("col.stability") }, { name: text("col.silhouette") }, { name: "" }];
  fill("count-table", table(text("counts.title"), columns, counts.map((one) => [count(one.classes), decimal(one.stability), decimal(one.silhouette),
    one.classes === CLASSES.length ? text("counts.taken") : ""])));
}
function drift() {
  const found = FACTS.drift;
  if (!found) return;
  const columns = [{ name: text("col.class"), text: true, wide: true }, { name: text("drift.level") }, { name: text("drift.index") }, { name: text("drift.limit") },
    { name: text("drift.new") }, { name: text("drift.entered") }, { name: text("drift.left") }];
  const mark = (value, moved) => ({ content: moved ? strong(decimal(value)) : decimal(value) });
  const rows = found.classes.map((one, index) => [classTitle(CLASSES[index]), mark(one.level, one.level_moved), mark(one.index, one.shape_moved), decimal(one.index_limit),
    count(one.new), count(one.entered), count(one.left)]);
  const said = state.language === "zh" ? found.texts_zh : found.texts_en;
  fill("drift", element("h3", { class: "sub" }, text("drift.title")), element("p", { class: "note" }, text("drift.note", { hours: count(found.hours) })),
    said.length ? element("ul", { class: "findings" }, said.map((line) => element("li", {}, line))) : element("p", {}, text("drift.none")),
    element("div", { class: "panel scroll" }, table(text("drift.title"), columns, rows)));
}

function bandControls() {
  const choices = [{ value: "all", name: text("band.all") }, ...CLASSES.map((one, index) => ({ value: index, name: classTitle(one) }))];
  segments("band-class", text("band.class"), choices, state.class, (chosen) => { state.class = chosen; bandControls(); drawBand(); });
  const provisional = FACTS.tides.provisional_hours;
  byId("band-note").textContent = text("band.note", { provisional: provisional ? text("band.provisional", count(provisional)) : "" });
  fill("band-legend", stroke(text("band.p50"), "var(--brain-0)"), swatch(text("band.band"), "color-mix(in srgb, var(--brain-0) 25%, transparent)"),
    FACTS.tides.seen ? stroke(text("band.came"), "var(--brain-1)") : [], swatch(text("band.off"), "var(--raised)"));
}
function scores() {
  const seen = FACTS.tides.seen;
  if (!seen) return;
  const columns = [{ name: text("col.of"), text: true, wide: true }, { name: text("col.wape") }, { name: text("col.pinball") }, { name: text("col.coverage") }];
  const row = (name, score) => [name, decimal(score.wape), decimal(score.pinball), share(score.coverage)];
  fill("scores", element("h3", { class: "sub" }, text("scores.title")),
    element("p", { class: "note" }, text("scores.note", { hours: count(seen.hours), unforeseen: share(seen.unforeseen) })),
    element("div", { class: "panel scroll" }, table(text("scores.title"), columns, [
      row(text("scores.series"), seen.series), row(text("scores.all"), seen.all), ...CLASSES.map((one) => row(classTitle(one), seen.classes[one.name]))])));
}
function modelTable() {
  const { held_out: held, outliers, weights, scores: compared } = FACTS.tides.chosen;
  byId("model-note").textContent = held ? text("models.note", { first: day(held[0]), last: day(held[1]), outliers: count(outliers) }) : text("models.none");
  const columns = [{ name: text("col.model"), text: true, wide: true }, { name: text("col.weight") }, { name: text("col.wape") }, { name: text("col.pinball") }, { name: text("col.best_for"), text: true, wide: true }];
  const single = compared.filter((one) => one.model !== "blend");
  const best = (model) => CLASSES.filter((one) => {
    const wapes = single.map((of) => of.by_class[one.name]?.wape ?? Infinity);
    const least = Math.min(...wapes);
    return Number.isFinite(least) && single[wapes.indexOf(least)].model === model;
  }).map(classTitle).join(", ");
  const rows = compared.length ? compared.map((one) => [word("models", one.model), one.model === "blend" ? "" : share(weights[one.model]), decimal(one.wape), decimal(one.pinball), best(one.model)])
    : Object.entries(weights).map(([model, weight]) => [word("models", model), share(weight), "–", "–", ""]);
  fill("model-table", table(text("models.title"), columns, rows));
}

function planTable() {
  byId("plan-note").textContent = text("plan.note", { lines: text(FACTS.lines ? "plan.lines" : "plan.no_lines"), holds: text(FACTS.holds ? "plan.holds" : "plan.no_holds") });
  const columns = [{ name: text("col.day"), text: true, wide: true }, { name: text("measures").peak_mean }, { name: text("measures").peak_unheld }, { name: text("measures").peak_high }, { name: text("col.peak_at") },
    { name: text("col.exchanges_day") }, { name: text("col.held_day") }, { name: text("col.churn_day") }, { name: text("col.servers_day") }];
  const slots = Array.from({ length: PLAN.slots }, (_, slot) => slot);
  const rows = PLAN.days.map((of, index) => {
    const own = slots.filter((slot) => planDay(PLAN, slot) === index);
    const most = (name) => own.reduce((a, slot) => Math.max(a, PLAN[name][slot]), 0);
    const sum = (value) => own.reduce((a, slot) => a + value(slot), 0);
    const busiest = own.reduce((a, slot) => (PLAN.peak_mean[slot] > PLAN.peak_mean[a] ? slot : a), own[0]);
    const sent = sum((slot) => PLAN.payload_bytes[slot]);
    return [[dayName(of), ...dayMarks(of)].join(" · "), share(most("peak_mean")), share(most("peak_unheld")), share(most("peak_high")), clock(planMoment(PLAN, busiest)),
      count(sum((slot) => PLAN.exchanges[slot]) * PLAN.slot_ns / 1e9), share(sent ? sum((slot) => PLAN.held_share[slot] * PLAN.payload_bytes[slot]) / sent : 0), share(sum((slot) => PLAN.churn[slot])), count(most("servers"))];
  });
  fill("plan-table", table(text("plan.days"), columns, rows));
}
function provenance() {
  const of = FACTS.run.provenance;
  const history = FACTS.history;
  const rows = [["command", mono(of.command)], ["version", mono(of.version)], ["commit", of.commit ? mono(of.commit) : text("unknown")], ["scenario", mono(of.scenario)],
    ["scenario_digest", mono(of.scenario_digest)], ["topology", mono(FACTS.topology)], ["traces", mono(history.traces.join(", "))], ["trace_digests", mono(history.digests.join(", "))],
    ["history", text("prov.history_span", { begin: day(history.begin), end: day(history.end), hours: count(history.hours) })],
    ["lines", FACTS.lines ? mono(FACTS.lines) : text("prov.no_lines")], ["seed", mono(String(of.seed))]];
  frameProvenance(rows);
}

function widthOf(id) { return byId(id).clientWidth; }
function drawProfiles() {
  const width = widthOf("chart-profiles");
  byId("chart-profiles").style.height = `${profileHeight(width)}px`;
  charts.get("chart-profiles")?.resize();
  draw("chart-profiles", profileOption(sizeOf("chart-profiles").width), text("profiles.describe", count(CLASSES.length)));
}
function drawBand() { draw("chart-band", bandOption(sizeOf("chart-band").width), text("band.describe", state.class === "all" ? text("band.all") : classTitle(CLASSES[state.class]))); }
function drawCharts() {
  drawProfiles();
  drawBand();
  drawPlan();
}
function render() {
  frameTexts(SECTIONS);
  masthead();
  classTable();
  effectTable();
  countTable();
  drift();
  bandControls();
  scores();
  modelTable();
  planControls();
  planTable();
  provenance();
  drawCharts();
}

render();
frameListen(SECTIONS[0], render, drawCharts, {});
