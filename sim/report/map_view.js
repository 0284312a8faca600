// The map on the page: its tooltips, the list of what stands out at the moment, the legend, the strip below the slider.

const HOT_ITEMS = 14;

// What an item is, then each of its directions, or itself, by load, queue, and what the layer adds.
function itemRows(item) {
  const rows = [];
  const line = item.kind === "edge" || item.kind === "twig";
  const ends = line ? endsOf(item) : null;
  if (line) rows.push([text("map.carrier"), carrierName(lineOf(item)[2])]);
  else if (item.kind === "site") rows.push([kindsOf(item).join(" · "), text("map.near", count(NET.sites[item.index][6]))]);
  else rows.push([text("map.kind"), kindsOf(item)[0]]);
  rowsOf(item).forEach((row, way) => {
    if (line && !lineOf(item)[3 + way]) return;
    const to = line ? `→ ${ends[1 - way]}` : text("map.processing");
    const parts = [`${loadOf(row)}%`, ...(line ? [rate(lineOf(item)[3 + way])] : []), text("map.waiting", count(queueOf(row)))];
    if (state.layer === "change" && held.other) parts.push(text("map.changed", { by: signed(changeOf(row)), rival: MAP.runs[state.rival].name }));
    rows.push([to, parts.join(" · ")]);
  });
  if (!line && state.layer === "share") rows.push([askedName(), valueText(valueOf(item))]);
  return rows;
}
function itemTip(item) { return tip(itemName(item), itemRows(item)); }
function itemLine(item) { return `${itemName(item)}. ${itemRows(item).map(([name, value]) => `${name}: ${value}`).join(". ")}.`; }
function askedName() {
  const [kind, name] = state.asked.split("/");
  return kind === "modes" ? word("modes", name) : text("class", name);
}

// The items the list may name: lines of the chosen carrier, and for queues and shares also what stands at their ends.
function candidates() {
  const every = (kind, length) => Array.from({ length }, (_, index) => ({ kind, index }));
  const edges = every("edge", EDGES).filter(({ index }) => !SHOWN.hidden[index]);
  if (state.layer === "share") return every("site", SITES);
  if (state.layer === "queue") return [...edges, ...every("site", SITES), ...every("node", NODES), ...every("twig", TWIGS)];
  return edges;
}
function strongest(item) {
  const rows = rowsOf(item);
  const values = rows.map((row) => valueOf(item, row));
  const way = values.length > 1 && strengthOf(values[1]) > strengthOf(values[0]) ? 1 : 0;
  return { item, way, value: values[way], values };
}
function itemToward({ item, way }) {
  if (item.kind !== "edge" && item.kind !== "twig") return [itemName(item), item.kind === "site" ? "" : kindsOf(item)[0]];
  const ends = endsOf(item);
  return [`${ends[way]} → ${ends[1 - way]}`, lineOf(item)[2] < 0 ? "" : carrierName(lineOf(item)[2])];
}
function toneOf(value) {
  if (state.layer === "change") return `var(--change-${changeClass(value)})`;
  if (state.layer === "queue") return `var(--load-${classOf(QUEUE_FROM, value)})`;
  return `var(--load-${classOf(state.layer === "share" ? SHARE_FROM : LOAD_FROM, value)})`;
}
function meterShare(value, most) { return state.layer === "load" ? value / 100 : Math.abs(value) / Math.max(1, most); }

let sightings = [];
function momentPanel() {
  const time = stepPeriod(state.step);
  const slider = byId("slot");
  slider.value = String(state.step);
  slider.setAttribute("aria-valuetext", time);
  byId("slot-label").textContent = LONG ? time : `${shortDate(START_MS)}, ${time}`;
  byId("moment-title").textContent = text(`map.moment.${state.layer}`, { time });
  if (!held.load) return;
  const found = candidates().map(strongest);
  const hot = found.filter(({ value }) => strengthOf(value) > (state.layer === "change" ? 0 : 0.5))
    .sort((one, other) => strengthOf(other.value) - strengthOf(one.value)).slice(0, HOT_ITEMS);
  const most = hot.length ? strengthOf(hot[0].value) : 1;
  sightings = hot;
  const list = byId("moment-lines");
  while (list.children.length > hot.length) list.lastChild.remove();
  hot.forEach((sight, place) => {
    // Rows are kept and refilled: making them anew at every step of the slider would cost more than the map itself.
    const row = list.children[place] ?? list.appendChild(hotRow(place));
    const [name, more] = itemToward(sight);
    const [button, value] = row.querySelectorAll("button, .value");
    button.firstChild.textContent = `${name} `;
    button.lastChild.textContent = more;
    value.textContent = valueText(sight.value);
    const bar = row.lastChild;
    bar.style.setProperty("--tone", toneOf(sight.value));
    bar.firstChild.style.width = `${Math.min(100, 100 * meterShare(sight.value, most))}%`;
  });
  byId("moment-note").textContent = hot.length ? momentNote(found) : text(`map.idle.${state.layer}`);
}
function hotRow(place) {
  return element("li", {},
    element("div", { class: "row" },
      element("button", { type: "button", class: "plain", onclick: () => MAP.view.pin(sightings[place].item) }, element("span", {}), element("span", { class: "more" })),
      element("span", { class: "value" })),
    meter(0, "var(--load-0)"));
}
function momentNote(found) {
  if (state.layer === "load") {
    const mean = found.reduce((sum, { values }) => sum + values[0] + values[1], 0) / Math.max(1, 2 * found.length) / 100;
    return text("map.shown", { shown: count(found.filter(({ value }) => value >= 90).length), all: count(found.length), mean: percent(mean) });
  }
  if (state.layer === "queue") return text("map.queued", count(found.reduce((sum, { values }) => sum + values.reduce((all, one) => all + one, 0), 0)));
  if (state.layer === "share") return text("map.asked_note");
  const more = found.filter(({ value }) => value >= 5).length;
  const less = found.filter(({ value }) => value <= -5).length;
  return text("map.changes", { more: count(more), less: count(less), brain: BRAINS[state.brain].name, rival: MAP.runs[state.rival].name });
}

function mapLegend() {
  const span = (from, at, all, show) => (at === all.length - 1 ? `≥ ${show(from)}` : all[at + 1] - from === 1 ? show(from) : `${show(from)}–${show(all[at + 1] - (state.layer === "queue" ? 1 : 0))}`);
  const scales = {
    load: [LOAD_FROM, (value) => `${value}%`], queue: [QUEUE_FROM, count], share: [SHARE_FROM, (value) => `${value}%`],
  };
  const change = ["≤ −50", "−50–−20", "−20–−5", "−5–+5", "+5–+20", "+20–+50", "≥ +50"];
  const names = state.layer === "change" ? change : scales[state.layer][0].map((from, at, all) => span(from, at, all, scales[state.layer][1]));
  const ramp = state.layer === "change" ? CHANGE_RAMP : RAMP;
  const classes = ramp.map(({ colour, width }, at) => element("span", {},
    element("i", { class: "stroke", tone: `var(--${colour})`, style: { borderTopWidth: `${width + 0.5}px` } }), names[at]));
  const present = new Set(NET.sites.map((site) => site[2]));
  const levels = NET.levels.map((name, level) => ({ name, level })).filter(({ level }) => present.has(level))
    .map(({ name, level }) => element("span", {}, element("i", { class: `point level-${level}` }), word("levels", name)));
  fill("map-legend", element("span", {}, text(`map.scale.${state.layer}`)), classes, element("i", { class: "break" }), levels);
  byId("map-layer-note").textContent = text(`map.layer_note.${state.layer}`, { asked: state.layer === "share" ? askedName() : "", brain: BRAINS[state.brain].name, rival: MAP.runs[state.rival]?.name });
  fill("strip-legend", element("span", {}, text("map.strip")), BRAINS.map((brain, index) => stroke(brain.name, tone(index), dash(index))));
}

function stripOption() {
  const starts = slotStarts(NET.slots_per_step, MAP.steps);
  const endNs = FACTS.slots * FACTS.slot_ns;
  return {
    grid: { left: 48, right: 12, top: 8, bottom: 24 },
    xAxis: timeAxis(endNs),
    yAxis: valueAxis((value) => `${figures(value)}%`, { min: 0, splitNumber: 2 }),
    tooltip: tooltip({
      trigger: "axis",
      formatter: (rows) => {
        const step = indexAt(starts, rows[0].axisValue);
        return tip(stepPeriod(step), BRAINS.map((brain, index) => [brain.name,
          text("map.strip_tip", { mean: percent(MAP.runs[index].mean[step] / 100), top: `${NET.busiest[index][step]}%` })]));
      },
    }),
    series: BRAINS.map((brain, index) => ({
      id: `mean-${index}`, name: brain.name, type: "line", symbol: "none", silent: true, data: steps(starts, MAP.runs[index].mean, momentOf(endNs)),
      lineStyle: { width: 1.5, color: brainColour(index), type: dash(index) }, itemStyle: { color: brainColour(index) },
    })),
  };
}

function openMap() {
  const host = byId("chart-map");
  if (!SITES) { host.replaceChildren(element("p", { class: "note empty" }, text("map.empty"))); return; }
  MAP.view = canvasMap(host, {
    sites: NET.sites.map(([x, y, level]) => ({ x, y, level })),
    edges: NET.edges.map(([a, b]) => ({ a, b })),
    nodes: NET.nodes.map(([site]) => ({ site })),
    twigs: NET.twigs.map(([a, b]) => ({ a, b })),
  }, {
    name: (item) => (item.kind === "node" ? nodeName(item.index) : itemName(item)),
    tip: itemTip, say: itemLine, paper: { width: 430, height: 540 },
    label: () => text("map.describe", { sites: count(SITES), edges: count(EDGES), nodes: count(NODES), brain: BRAINS[state.brain].name, time: stepPeriod(state.step) }),
    rank: (kind) => Array.from({ length: { site: SITES, edge: EDGES, node: NODES }[kind] }, (_, index) => ({ index, at: strengthOf(strongest({ kind, index }).value) }))
      .sort((one, other) => other.at - one.at || one.index - other.index).map(({ index }) => index),
    onPin: tellPinned,
  });
}
async function drawMap() {
  draw("chart-strip", stripOption, text("map.strip_describe"), timed);
  await holdTables();
  if (MAP.view) { MAP.view.show(shownNow()); MAP.view.redraw(); }
  momentPanel();
  byId("chart-map").dataset.drawn = `${state.layer} ${state.brain}`;
}
// Only what depends on the moment; it is what the slider waits for.
function drawMoment() {
  MAP.view?.show(shownNow());
  momentPanel();
  moveCursors();
  tellPinned(MAP.view?.pinned());
}
// Below the map stands what is pinned, and else how to use the map, which paper need not tell.
function tellPinned(item) {
  byId("map-said").textContent = item ? itemLine(item) : text("map.hint");
  byId("map-said").classList.toggle("hint", !item);
}
