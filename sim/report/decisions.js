// The log of a brain's decisions: a row of marks for each kind below the tide, and a table to search and to page through.

const LOG_ROWS = 25;
// Kinds that begin something are filled, those that end it hollow; both have one colour.
const KIND_LOOK = {
  "surge-found": { colour: "load-4", filled: true }, "surge-over": { colour: "load-4", filled: false },
  "servers-borrowed": { colour: "brain-0", filled: true }, "servers-returned": { colour: "brain-0", filled: false },
  "bulk-held": { colour: "mode-3", filled: true }, "bulk-released": { colour: "mode-3", filled: false },
  "routes-changed": { colour: "brain-2", filled: true }, "routes-restored": { colour: "brain-2", filled: false },
  "particles-sent": { colour: "brain-5", filled: true },
  "stations-lost": { colour: "ink", filled: true }, "stations-back": { colour: "ink", filled: false },
  "trust-changed": { colour: "brain-4", filled: true },
  alert: { colour: "brain-1", filled: true },
};

function logOf() { return BRAINS[state.log].log; }
function inWords(pair) { return pair[state.language === "zh" ? 1 : 0]; }
function kindWord(kind) { return inWords(FACTS.decision_words.kinds[kind]); }
function doneWord(kind, reason) {
  const { kind_names: names, ends_alert: ends, alert_over: over } = FACTS.decision_words;
  return names[kind] === "alert" && ends[reason] ? inWords(over) : kindWord(kind);
}
function logMoment(us) { return momentOf(us * 1e3); }
function exactTime(ms) { return `${LONG ? `${shortDate(ms)} ` : ""}${date(ms, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" })}`; }
function subjectName(number) {
  const [name, label] = logOf().names[number];
  return Array.isArray(label) ? stationLabel(label) : named(name, label);
}
function isTrust(kind) { return FACTS.decision_words.kind_names[kind] === "trust-changed"; }
function figureText(figure, value) {
  const form = FACTS.decision_words.forms[figure];
  const forms = TEXTS[state.language].forms;
  if (form === "share") return percent(value);
  if (form === "duration") return duration(value * 1e9);
  if (form === "bytes") return bytes(value);
  if (form === "bytes_per_second") return forms[form](bytes(value));
  const shown = Number.isInteger(value) ? count(value) : figures(value);
  return form === "number" ? shown : forms[form](shown);
}
function figureLines(stated, costs) {
  const some = stated.filter(([figure]) => FACTS.decision_words.costs[figure] === costs);
  return some.map(([figure, value]) => element("span", { class: "line" },
    element("span", {}, `${inWords(FACTS.decision_words.figures[figure])} `), figureText(figure, value)));
}

function sentence(kind, reason, strongly) {
  return text("decisions.sentence", { strong: strongly, kind: doneWord(kind, reason), reason: inWords(FACTS.decision_words.reasons[reason]) });
}

// What a reader may look for in a row: the words that it shows, in the language of the page.
function logText([, , kind, reason, subjects]) {
  return [sentence(kind, reason, (value) => value).join(""), ...subjects.map(subjectName)].join(" ").toLowerCase();
}
// What the log may be sorted by: time, words, whom.
const LOG_VALUES = [(row) => row[0], (row) => sentence(row[2], row[3], (value) => value).join(""), (row) => (row[4].length ? row[4].map(subjectName).join(", ") : null)];
function foundRows() {
  const wanted = state.find.trim().toLowerCase();
  const found = logOf().rows.filter((row) => (state.kind === "all" || row[2] === state.kind)
    && (state.sinceMs === null || logMoment(row[0]) >= state.sinceMs) && (!wanted || logText(row).includes(wanted)));
  return sortedRows(found, state.logOrder, LOG_VALUES[state.logOrder?.column]);
}
function logTable() {
  const rows = foundRows();
  const pages = Math.max(1, Math.ceil(rows.length / LOG_ROWS));
  state.page = Math.max(0, Math.min(pages - 1, state.page));
  const from = state.page * LOG_ROWS;
  const shown = rows.slice(from, from + LOG_ROWS);
  const columns = [{ name: text("col.time"), text: true }, { name: text("col.what_why"), text: true, wide: true }, { name: text("col.whom"), text: true, wide: true },
    { name: text("col.figures"), text: true, plain: true }, { name: text("col.cost"), text: true, plain: true }];
  const cells = shown.map(([us, age, kind, reason, subjects, stated]) => [
    exactTime(logMoment(us)),
    { content: [element("span", { class: "line" }, sentence(kind, reason, strong)),
      ...(age === null ? [] : [element("span", { class: "line" }, element("span", {}, text("decisions.age", duration(age * 1e3))))])] },
    { content: subjects.length ? subjects.map((subject, at) => element("span", { class: "line" }, at > 0 && isTrust(kind) ? `→ ${subjectName(subject)}` : subjectName(subject))) : "–" },
    { content: figureLines(stated, false) }, { content: figureLines(stated, true) },
  ]);
  fill("log-table", rows.length ? table(text("decisions.title"), columns, cells, { order: state.logOrder, onSort: sortLog }) : element("p", { class: "note" }, text("decisions.none")));
  byId("log-place").textContent = rows.length ? text("decisions.place", { from: count(from + 1), to: count(from + shown.length), all: count(rows.length) }) : "";
  byId("log-before").disabled = state.page === 0;
  byId("log-after").disabled = state.page === pages - 1;
  byId("log-since-control").hidden = state.sinceMs === null;
  byId("log-since").textContent = state.sinceMs === null ? "" : text("decisions.since", moment(state.sinceMs));
}
function sortLog(order) {
  const column = [...byId("log-table").querySelectorAll("th[scope=col]")].indexOf(document.activeElement.closest("th"));
  Object.assign(state, { logOrder: order, page: 0 });
  logTable();
  byId("log-table").querySelectorAll("th[scope=col] button")[column]?.focus();
}
function kindsPresent() {
  const counts = new Map();
  for (const [, kind, some] of logOf().steps) counts.set(kind, (counts.get(kind) ?? 0) + some);
  return [...counts].sort(([one], [other]) => one - other);
}
function logControls() {
  const choices = LOGGED.map((brain) => BRAINS.indexOf(brain)).map((value) => ({ value, name: BRAINS[value].name, colour: tone(value) }));
  segments("log-brain", text("brain"), choices, state.log, (chosen) => {
    Object.assign(state, { log: chosen, kind: "all", sinceMs: null, page: 0 });
    decisions();
    drawDecisions();
  });
  const kinds = kindsPresent().map(([value, some]) => ({ value, name: `${kindWord(value)} ${count(some)}` }));
  segments("log-kinds", text("col.what_why"), [{ value: "all", name: `${text("all")} ${count(logOf().count)}` }, ...kinds], state.kind, (chosen) => {
    Object.assign(state, { kind: chosen, page: 0 });
    logControls();
    logTable();
  });
}
function decisions() {
  byId("decisions").hidden = !LOGGED.length;
  if (!LOGGED.length) return;
  const log = logOf();
  byId("decision-note").textContent = text("decisions.note", { brain: BRAINS[state.log].name, count: count(log.count), listed: log.rows.length < log.count ? count(log.rows.length) : null });
  logControls();
  logTable();
}

// What lasts: from a surge found until it is over, servers lent until returned, and so on, by whom it concerns.
const ENDS = { "surge-found": "surge-over", "servers-borrowed": "servers-returned", "bulk-held": "bulk-released", "routes-changed": "routes-restored", "stations-lost": "stations-back", alert: "alert" };
function spells() {
  const { kind_names: names, ends_alert: ends } = FACTS.decision_words;
  const endMs = momentOf(BRAINS[state.log].ended_ns);
  const open = new Map();
  const found = [];
  const last = new Map(Object.entries(ENDS).map(([begin, end]) => [end, begin]));
  for (const [us, , kind, reason, subjects] of logOf().rows) {
    const name = names[kind];
    const over = name === "alert" ? ends[reason] : last.has(name);
    const key = `${over ? last.get(name) : name}/${subjects}`;
    const since = open.get(key);
    if (over && since) { found.push({ ...since, until: logMoment(us) }); open.delete(key); }
    if (!over && ENDS[name] && !since) open.set(key, { kind, from: logMoment(us), subjects });
  }
  return [...found, ...[...open.values()].filter(({ kind }) => ["surge-found", "alert", "stations-lost"].includes(names[kind])).map((spell) => ({ ...spell, until: endMs }))];
}
function lookOf(kind) { return KIND_LOOK[FACTS.decision_words.kind_names[kind]]; }
function decisionOption() {
  const log = logOf();
  const present = kindsPresent();
  const lane = new Map(present.map(([kind], index) => [kind, index]));
  const stepNs = log.slots_per_step * FACTS.slot_ns;
  const endNs = FACTS.slots * FACTS.slot_ns;
  const { width } = sizeOf("chart-decisions");
  const names = width < 620 ? 104 : 230;
  const { tide } = BRAINS[state.log];
  const starts = tide.start_ns.map(momentOf);
  const submitted = starts.map((_, at) => FACTS.modes.reduce((sum, mode) => sum + (tide.submitted[mode]?.[at] ?? 0), 0));
  const most = log.steps.reduce((best, [, , some]) => Math.max(best, some), 1);
  const size = (some) => 7 + 9 * Math.sqrt((some - 1) / Math.max(9, most - 1));
  const grid = { left: names + 14, right: 24 };
  return {
    grid: [{ ...grid, top: 12, height: 76 }, { ...grid, top: 112, height: 30 * present.length }],
    xAxis: [timeAxis(endNs, { gridIndex: 0, axisLabel: { show: false } }), timeAxis(endNs, { gridIndex: 1 })],
    yAxis: [
      valueAxis(compact, { gridIndex: 0, splitNumber: 2 }),
      { ...axisLook(), gridIndex: 1, type: "category", inverse: true, data: present.map(([kind]) => kindWord(kind)), axisTick: { show: false }, splitLine: { show: true, lineStyle: { color: token("grid") } },
        axisLabel: { color: token("ink"), fontSize: width < 620 ? 11.5 : 12.5, width: names, overflow: width < 620 ? "break" : "truncate", interval: 0 } },
    ],
    dataZoom: [{ type: "inside", xAxisIndex: [0, 1], filterMode: "weakFilter", zoomOnMouseWheel: "ctrl", moveOnMouseMove: true, disabled: matchMedia("(pointer: coarse)").matches, ...state.logZoom }],
    tooltip: tooltip({
      trigger: "item",
      formatter: ({ data }) => (data.coords ? tip(kindWord(data.kind), [
        [`${exactTime(data.from)} – ${exactTime(data.until)}`, duration((data.until - data.from) * MS_NS)], ...data.subjects.map((subject) => [subjectName(subject), ""]),
      ]) : tip(kindWord(data.kind), [[period(data.step * stepNs, Math.min(endNs, (data.step + 1) * stepNs)), count(data.some)]])),
    }),
    series: [
      { name: text("decisions.submitted"), type: "line", symbol: "none", silent: true, xAxisIndex: 0, yAxisIndex: 0, data: steps(starts, submitted, momentOf(BRAINS[state.log].span_ns)),
        lineStyle: { width: 1.2, color: token("muted") }, itemStyle: { color: token("muted") }, areaStyle: { color: token("muted"), opacity: 0.16 } },
      ...present.map(([kind]) => ({
        name: kindWord(kind), type: "scatter", xAxisIndex: 1, yAxisIndex: 1, clip: true, progressive: 0,
        data: log.steps.filter(([, one]) => one === kind).map(([step, , some]) => ({ value: [momentOf((step + 0.5) * stepNs), lane.get(kind)], step, kind, some, symbolSize: size(some) })),
        itemStyle: { opacity: 0.9, color: lookOf(kind).filled ? token(lookOf(kind).colour) : token("surface"), borderColor: token(lookOf(kind).colour), borderWidth: 1.8 },
      })),
      {
        name: "spells", type: "lines", coordinateSystem: "cartesian2d", xAxisIndex: 1, yAxisIndex: 1, clip: true, progressive: 0, z: 1, emphasis: { disabled: true },
        data: spells().map(({ kind, from, until, subjects }) => ({ coords: [[from, lane.get(kind)], [until, lane.get(kind)]], kind, from, until, subjects, lineStyle: { color: token(lookOf(kind).colour) } })),
        lineStyle: { width: 11, opacity: 0.28, cap: "butt" },
      },
    ],
  };
}
function drawDecisions() {
  const holder = byId("chart-decisions");
  holder.style.height = `${146 + 30 * kindsPresent().length}px`;
  if (!document.documentElement.classList.contains("printing")) charts.get("chart-decisions")?.resize();
  fill("decision-legend", stroke(text("decisions.submitted"), "var(--muted)"));
  draw("chart-decisions", decisionOption, text("decisions.describe", BRAINS[state.log].name), decisionsDrawn);
}
function decisionsDrawn(chart) {
  timed(chart);
  chart.off("click");
  chart.on("click", ({ data }) => {
    if (!data?.kind && data?.kind !== 0) return;
    const step = data.step ?? Math.floor((data.from - START_MS) * MS_NS / (logOf().slots_per_step * FACTS.slot_ns));
    Object.assign(state, { kind: data.kind, sinceMs: momentOf(step * logOf().slots_per_step * FACTS.slot_ns), page: 0 });
    logControls();
    logTable();
  });
  chart.off("datazoom");
  chart.on("datazoom", () => { const { start, end } = chart.getOption().dataZoom[0]; state.logZoom = { start, end }; moveCursors(); });
}
function zoomLog(factor) {
  const middle = (state.logZoom.start + state.logZoom.end) / 2;
  const half = Math.min(50, Math.max(1, (state.logZoom.end - state.logZoom.start) / 2 * factor));
  const start = Math.max(0, Math.min(100 - 2 * half, middle - half));
  charts.get("chart-decisions")?.dispatchAction({ type: "dataZoom", dataZoomIndex: 0, start, end: start + 2 * half });
}
function listenDecisions() {
  const turn = (by) => () => { state.page += by; logTable(); };
  byId("log-before").addEventListener("click", turn(-1));
  byId("log-after").addEventListener("click", turn(1));
  byId("log-find").addEventListener("input", (event) => { Object.assign(state, { find: event.target.value, page: 0 }); logTable(); });
  byId("log-since-all").addEventListener("click", () => { Object.assign(state, { sinceMs: null, page: 0 }); logTable(); });
  byId("log-zoom-in").addEventListener("click", () => zoomLog(1 / 1.5));
  byId("log-zoom-out").addEventListener("click", () => zoomLog(1.5));
  byId("log-zoom-all").addEventListener("click", () => zoomLog(1000));
}
