// The page of a replay: its tables, and what happens when the reader chooses something.

function share(part, whole) { return whole ? percent(part / whole) : percent(0); }
function modesPresent() { return FACTS.modes.filter((mode) => BRAINS.some((brain) => brain.completion.by_mode[mode]?.count)); }
function compared(value, base) {
  if (value === null || base === null || base === 0) return null;
  const change = value / base - 1;
  return Math.abs(change) < 0.005 ? null : { lower: change < 0, by: percent(Math.abs(change)) };
}
function lowest(values) {
  const given = values.filter((value) => value !== null && value !== undefined);
  return given.length > 1 && new Set(given).size > 1 ? Math.min(...given) : null;
}

function fixedTexts() {
  frameTexts(SECTIONS);
  byId("play").textContent = text(state.playing ? "map.pause" : "map.play");
  const slot = duration(FACTS.slot_ns);
  byId("tide-count-title").textContent = text("tides.count", slot);
  byId("tide-bytes-title").textContent = text("tides.bytes", slot);
  const mapStep = FACTS.map.slots_per_step;
  byId("map-note").textContent = text("map.note", { step: mapStep > 1 ? text("map.step", duration(mapStep * FACTS.slot_ns)) : "" });
  byId("bars-title").textContent = text("stations.bars", duration(FACTS.bars.window_ns));
  const queueStep = FACTS.queues.slots_per_step;
  byId("queue-note").textContent = text("queues.note", queueStep > 1 ? text("map.step", duration(queueStep * FACTS.slot_ns)) : "");
}
function masthead() {
  const { scenario, provenance } = FACTS.run;
  frameTitle(scenario);
  const first = BRAINS[0];
  byId("subtitle").textContent = text("subtitle", {
    date: longDate(START_MS), span: duration(first.span_ns), exchanges: count(first.counts.submitted), bytes: bytes(first.bytes.submitted),
  });
  frameStamp(provenance);
}

function missed(completion) { return `${count(completion.deadline_missed)} (${share(completion.deadline_missed, completion.deadline_total)})`; }
function findings() {
  const [base, ...others] = BRAINS;
  const all = base.completion.all;
  if (!others.length) return all.count ? [text("find.one", { strong, p50: duration(all.p50_ns), p99: duration(all.p99_ns) })] : [];
  return others.flatMap((brain) => {
    const names = { strong, brain: brain.name, baseline: base.name };
    const other = brain.completion.all;
    const change = compared(other.p99_ns, all.p99_ns);
    const said = [];
    if (other.count && all.count) {
      said.push(text("find.tail", { ...names, other: duration(other.p99_ns), base: duration(all.p99_ns), delta: change && text(change.lower ? "lower" : "higher", change.by) }));
    }
    if (other.deadline_total) said.push(text("find.missed", { ...names, other: missed(other), base: missed(all) }));
    const crowded = (index) => duration(FACTS.map.crowded[index] * FACTS.map.slots_per_step * FACTS.slot_ns);
    if (FACTS.map.edges.length) said.push(text("find.load", { ...names, other: crowded(BRAINS.indexOf(brain)), base: crowded(0) }));
    return said;
  });
}
function card(brain, index) {
  const all = brain.completion.all;
  const base = BRAINS[0];
  const change = compared(all.p99_ns, base.completion.all.p99_ns);
  const against = index === 0 ? null : change ? text(change.lower ? "verdict.lower" : "verdict.higher", { by: change.by, base: base.name }) : text("verdict.same", { base: base.name });
  const figure = (name, value, more) => element("div", { class: "figure" },
    element("div", { class: "name" }, name), element("div", { class: "value" }, value), element("div", { class: "more" }, more));
  const ofAll = (value) => text("verdict.of_exchanges", { share: share(value, brain.counts.submitted) });
  const rows = [["all_modes", "all"], ...modesPresent().map((mode) => [null, mode])].map(([key, mode]) => {
    const of = (one) => (mode === "all" ? one.completion.all : one.completion.by_mode[mode]);
    const cells = PERCENTILES.map(([, field]) => {
      const value = of(brain)?.[field] ?? null;
      const best = value !== null && value === lowest(BRAINS.map((one) => of(one)?.[field]));
      return { best, tone: tone(index), value, content: duration(value) };
    });
    const late = of(brain)?.deadline_missed ?? 0;
    const bestLate = late === lowest(BRAINS.map((one) => of(one)?.deadline_missed));
    const name = key ? text(key) : word("modes", mode);
    return { cells: [name, ...cells, { best: bestLate, tone: tone(index), value: late, content: count(late) }] };
  });
  const columns = [{ name: text("mode"), text: true }, ...PERCENTILES.map(([name]) => ({ name })), { name: text("col.missed") }];
  return element("article", { class: "panel card", tone: tone(index) },
    element("div", { class: "card-head" }, element("h3", {}, brain.name),
      element("span", { class: "role" }, [word("brains", brain.name), index === 0 && BRAINS.length > 1 ? text("verdict.baseline") : null].filter((part) => part && part !== brain.name).join(" · "))),
    element("div", { class: "figures" },
      figure(text("verdict.p99"), all.count ? duration(all.p99_ns) : "–", all.count ? against : text("verdict.nothing")),
      figure(text("verdict.missed"), count(all.deadline_missed), all.deadline_total
        ? text("verdict.missed_of", { share: share(all.deadline_missed, all.deadline_total), total: count(all.deadline_total) }) : text("verdict.no_deadlines")),
      figure(text("verdict.in_flight"), count(brain.counts.in_flight), ofAll(brain.counts.in_flight)),
      figure(text("verdict.refused"), count(brain.counts.refused), ofAll(brain.counts.refused))),
    element("div", { class: "scroll" }, table(brain.name, columns, rows, { key: `card-${index}` })));
}

function completionTable() {
  const columns = [{ name: text("col.what"), text: true }, { name: text("col.brain"), text: true }, { name: text("col.count") }, { name: text("col.bytes") },
    ...PERCENTILES.map(([name]) => ({ name })), { name: text("col.max") }, { name: text("col.mean") }, { name: text("col.due") }, { name: text("col.missed") }];
  const classes = [...new Set(BRAINS.flatMap((brain) => Object.keys(brain.completion.by_class)))].sort((one, other) => Number(one) - Number(other));
  const groups = [[text("all_modes"), (brain) => brain.completion.all], ...modesPresent().map((mode) => [word("modes", mode), (brain) => brain.completion.by_mode[mode]]),
    ...classes.map((name) => [text("class", name), (brain) => brain.completion.by_class[name]])];
  const rows = groups.flatMap(([name, of]) => BRAINS.filter((brain) => of(brain)).map((brain, index) => {
    const it = of(brain);
    return [index ? again(name) : name, brain.name, shown(it.count, count), shown(it.bytes, bytes), ...PERCENTILES.map(([, field]) => shown(it[field], duration)),
      shown(it.max_ns, duration), shown(it.mean_ns, duration), shown(it.deadline_total, count), shown(it.deadline_missed, count)];
  }));
  fill("completion-table", table(text("tails.table"), columns, rows, { key: "completion" }));
}
function stationTable() {
  brainSegments("station-brain");
  const columns = [{ name: text("col.station"), text: true, wide: true }, { name: text("col.peak") }, { name: text("col.mean_use") },
    { name: text("col.waiting") }, { name: text("col.served") }, { name: text("col.bytes") }, { name: text("col.spilled") }, { name: text("col.failed") }];
  const rows = BRAINS[state.brain].stations.map((row) => [stationLabel(row.label), { value: row.peak, content: [percent(row.peak), meter(row.peak, tone(state.brain))] },
    shown(row.mean, percent), shown(row.waiting, count), shown(row.served, count), shown(row.bytes, bytes), shown(row.spilled, count), shown(row.failed, count)]);
  fill("station-table", table(text("stations.title"), columns, rows, { key: "stations" }));
}
function pairTable() {
  brainSegments("pair-brain");
  const brain = BRAINS[state.brain];
  byId("pair-note").textContent = brain.pair_count ? text("pairs.note", count(brain.pair_count)) : text("pairs.empty");
  const columns = [{ name: text("col.from"), text: true, wide: true }, { name: text("col.to"), text: true, wide: true }, { name: text("col.count") }, { name: text("col.bytes") },
    { name: "p50" }, { name: "p99" }, { name: text("col.max") }, { name: text("col.due") }, { name: text("col.missed") }];
  const rows = brain.pairs.map(([from, to, delivered, size, p50, p99, longest, due, late]) => [named(...from), named(...to), shown(delivered, count), shown(size, bytes),
    shown(p50, duration), shown(p99, duration), shown(longest, duration), shown(due, count), shown(late, count)]);
  fill("pair-table", table(text("pairs.title"), columns, rows, { key: "pairs" }));
}
function prepared() {
  byId("prepared").hidden = !PREPARED;
  byId("prepared-legend").hidden = byId("prepared-table").hidden = !STEERED.length;
  byId("figure-held").hidden = !HELD;
  byId("figure-lent").hidden = !LENT;
  byId("week").hidden = FACTS.plan === null;
  if (FACTS.plan !== null) planControls();
  fill("prepared-legend", STEERED.map((brain) => stroke(brain.name, tone(BRAINS.indexOf(brain)), dash(BRAINS.indexOf(brain)))));
  const columns = [{ name: text("col.brain"), text: true }, { name: text("col.withheld") }, { name: text("col.withheld_bytes") }, { name: text("col.hold_mean") }, { name: text("col.hold_max") },
    { name: text("col.withheld_peak") }, { name: text("col.lent_peak") }, { name: text("col.lent_hours") }];
  fill("prepared-table", table(text("prepared.table"), columns, BRAINS.map((brain) => {
    const { withheld: held } = brain;
    const hours = brain.pools.reduce((sum, pool) => sum + pool.server_ns, 0) / 3600e9;
    return [brain.name, shown(held?.exchanges, count), shown(held?.bytes, bytes), shown(held?.mean_ns, duration), shown(held?.max_ns, duration), shown(held?.peak, count),
      ...(brain.pools.length ? [shown(brain.pools.reduce((sum, pool) => sum + pool.peak, 0), count), shown(hours, figures)] : [null, null])];
  }), { key: "prepared" }));
}
function ledger() {
  const fields = ["submitted", "delivered", "in_flight", "refused"];
  const columns = [{ name: text("col.brain"), text: true }, { name: text("col.of"), text: true }, ...fields.map((field) => ({ name: text(`col.${field}`) }))];
  const rows = BRAINS.flatMap((brain) => [[brain.name, text("ledger.exchanges"), ...fields.map((field) => shown(brain.counts[field], count))],
    [again(brain.name), text("ledger.volume"), ...fields.map((field) => shown(brain.bytes[field], bytes))]]);
  fill("ledger-table", table(text("ledger.title"), columns, rows, { key: "ledger" }));
  const events = ["retries", "failed", "retrying_peak", "spilled", "held_peak"];
  const happened = [{ name: text("col.brain"), text: true }, ...events.map((event) => ({ name: text(`col.${event}`) }))];
  fill("chunk-table", table(text("chunks.title"), happened, BRAINS.map((brain) => [brain.name, ...events.map((event) => shown(brain.chunks[event], count))]), { key: "chunks" }));
  const reasons = [...new Set(BRAINS.flatMap((brain) => Object.keys(brain.refused_by_reason)))].filter((reason) => BRAINS.some((brain) => brain.refused_by_reason[reason]));
  const heading = element("h3", { class: "sub" }, text("refusals.title"));
  if (!reasons.length) { fill("refusals", heading, element("p", { class: "note" }, text("refusals.none"))); return; }
  const byReason = [{ name: text("col.reason"), text: true, wide: true }, ...BRAINS.map((brain) => ({ name: brain.name }))];
  fill("refusals", heading, element("div", { class: "panel scroll" }, table(text("refusals.title"), byReason,
    reasons.map((reason) => [word("reasons", reason), ...BRAINS.map((brain) => shown(brain.refused_by_reason[reason] ?? 0, count))]), { key: "refusals" })));
}
function provenance() {
  const of = FACTS.run.provenance;
  const rows = [["command", mono(of.command)], ["version", mono(of.version)], ["commit", of.commit ? mono(of.commit) : text("unknown")], ["scenario", mono(of.scenario)],
    ["scenario_digest", mono(of.scenario_digest)], ["trace_digest", mono(of.trace_digest)],
    ["faults_digest", of.faults_digest ? mono(of.faults_digest) : text("prov.no_faults")],
    ...(of.prepared_digest ? [["prepared_digest", mono(of.prepared_digest)]] : []), ["seed", mono(String(of.seed))],
    ["start", `${longDate(START_MS)}, ${clock(START_MS)}`], ["slot", duration(FACTS.slot_ns)], ["brains", BRAINS.map((brain) => brain.name).join(", ")]];
  frameProvenance(rows);
}

function mapControls() {
  brainSegments("map-brain");
  const layers = ["load", "queue", ...(FACTS.asked ? ["share"] : []), ...(MAP.runs.length > 1 ? ["change"] : [])];
  segments("map-layer", text("map.layer"), layers.map((value) => ({ value, name: text(`map.layer.${value}`) })), state.layer, (layer) => chooseLayer({ layer }));
  byId("map-asked-control").hidden = state.layer !== "share";
  byId("map-rival-control").hidden = state.layer !== "change";
  if (state.layer === "share") {
    const choices = [...FACTS.asked.modes.map(([name]) => ({ value: `modes/${name}`, name: word("modes", name) })),
      ...(FACTS.asked.classes.length > 1 ? FACTS.asked.classes.map(([name]) => ({ value: `classes/${name}`, name: text("class", name) })) : [])];
    segments("map-asked", text("map.asked"), choices, state.asked, (asked) => chooseLayer({ asked }));
  }
  if (state.layer === "change") {
    const rivals = MAP.runs.map((run, value) => ({ value, name: run.name, colour: tone(value) })).filter(({ value }) => value !== state.brain);
    segments("map-rival", text("map.rival"), rivals, state.rival, (rival) => chooseLayer({ rival }));
  }
  const carriers = FACTS.map.carriers.map((name, index) => ({ value: index, name }));
  segments("map-carrier", text("map.lines"), [{ value: "all", name: text("map.both") }, ...carriers], state.carrier, (carrier) => {
    state.carrier = carrier;
    mapControls();
    drawMoment();
    MAP.view?.redraw();
  });
}
function tailControls() {
  const choices = [{ value: "all", name: text("all_modes") }, ...modesPresent().map((mode) => ({ value: mode, name: word("modes", mode) }))];
  segments("tail-mode", text("mode"), choices, state.mode, (mode) => {
    state.mode = mode;
    tailControls();
    drawTail();
  });
}
function drawTail() { draw("chart-tail", tailOption, text("tails.describe", state.mode === "all" ? text("all_modes") : word("modes", state.mode))); }
function drawCharts() {
  drawMap();
  draw("chart-tide-count", () => tideOption("submitted"), text("tides.describe"), timed);
  draw("chart-tide-bytes", () => tideOption("bytes"), text("tides.describe"), timed);
  drawTail();
  draw("chart-stations", stationOption, text("stations.describe"));
  draw("chart-queues", queueOption, text("queues.describe"), timed);
  if (LOGGED.length) drawDecisions();
  if (HELD) draw("chart-held", () => overTimeOption(heldAt), text("prepared.describe", text("prepared.held")), timed);
  if (LENT) draw("chart-lent", () => overTimeOption(lentAt), text("prepared.describe", text("prepared.lent")), timed);
  if (FACTS.plan !== null) drawPlan();
}
function render() {
  fixedTexts();
  masthead();
  fill("findings", findings().map((parts) => element("li", {}, parts)));
  fill("cards", BRAINS.map(card));
  mapControls();
  mapLegend();
  againstTable();
  byId("slot").setAttribute("aria-label", text("map.slider"));
  tellPinned(MAP.view?.pinned());
  fill("tide-legend", FACTS.modes.map((mode, index) => swatch(word("modes", mode), `var(--mode-${index})`)),
    BRAINS.map((brain, index) => stroke(text("tides.delivered", brain.name), tone(index), dash(index))));
  decisions();
  tailControls();
  brainLegend("tail-legend");
  completionTable();
  fill("bar-legend", BRAINS.map((brain, index) => swatch(brain.name, tone(index))));
  stationTable();
  brainLegend("queue-legend");
  pairTable();
  prepared();
  ledger();
  provenance();
  drawCharts();
}

function chooseBrain(index) {
  state.brain = index;
  if (state.rival === index) state.rival = index === 0 ? 1 : 0;
  mapControls();
  mapLegend();
  stationTable();
  pairTable();
  drawMap();
}
function chooseLayer(chosen) {
  Object.assign(state, chosen);
  mapControls();
  mapLegend();
  drawMap();
}
function chooseStep(step) {
  state.step = Math.max(0, Math.min(MAP.steps - 1, step));
  drawMoment();
}
function play(on) {
  clearInterval(state.playing);
  state.playing = on ? setInterval(() => chooseStep((state.step + 1) % MAP.steps), 220) : null;
  byId("play").setAttribute("aria-pressed", String(on));
  byId("play").textContent = text(on ? "map.pause" : "map.play");
}
function againstTable() {
  const { against } = FACTS;
  byId("against").hidden = !against;
  if (!against) return;
  byId("against-note").textContent = text("against.note", { run: against.name, date: longDate(Date.parse(`${against.start}Z`)), seed: against.provenance.seed, same: against.provenance.trace_digest === FACTS.run.provenance.trace_digest });
  const columns = [{ name: text("col.brain"), text: true }, { name: text("against.run"), text: true }, { name: text("col.count") }, ...PERCENTILES.map(([name]) => ({ name })), { name: text("col.max") }, { name: text("col.due") }, { name: text("col.missed") }];
  const row = (name, run, it) => [name, run, shown(it.count, count), ...PERCENTILES.map(([, field]) => shown(it[field], duration)), shown(it.max_ns, duration), shown(it.deadline_total, count), shown(it.deadline_missed, count)];
  fill("against-table", table(text("against.title"), columns, [
    ...BRAINS.map((brain) => row(brain.name, text("against.this"), brain.completion.all)),
    ...against.brains.map((brain) => row(brain.name, against.name, brain.completion)),
  ], { key: "against" }));
}
function listen() {
  byId("slot").addEventListener("input", (event) => { play(false); chooseStep(Number(event.target.value)); });
  byId("play").addEventListener("click", () => play(!state.playing));
  byId("to-peak").addEventListener("click", () => { play(false); chooseStep(peakStep(state.brain)); });
  byId("zoom-in").addEventListener("click", () => MAP.view?.zoom(1.5));
  byId("zoom-out").addEventListener("click", () => MAP.view?.zoom(1 / 1.5));
  byId("zoom-all").addEventListener("click", () => MAP.view?.home());
  if (LOGGED.length) listenDecisions();
  frameListen(SECTIONS[0], render, drawCharts, PAPER);
}

state.step = peakStep(0);
state.asked = FACTS.asked ? `modes/${FACTS.asked.modes[0][0]}` : "";
byId("slot").max = String(MAP.steps - 1);
openMap();
render();
listen();
