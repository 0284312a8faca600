// What the map of a replay shows: tables of values by layer, and the place in the ramp of every site, line and node.
//
// Rows of a table are those of `ProvinceMap.station_row`: edges there, edges back, sites, nodes, twigs there, twigs back.

const LOAD_FROM = [0, 10, 30, 50, 70, 90];
const LOAD_WIDTH = [1.1, 1.7, 2.3, 3, 3.8, 4.6];
const QUEUE_FROM = [0, 1, 10, 100, 1000, 10000];
const SHARE_FROM = [0, 1, 10, 25, 50, 75];
const CHANGE_FROM = [-100, -49, -19, -4, 5, 20, 50]; // points of percent
const CHANGE_WIDTH = [4.6, 3.2, 2, 1.1, 2, 3.2, 4.6];
const CHANGE_STRENGTH = [3, 2, 1, 0, 1, 2, 3];
const RAMP = LOAD_WIDTH.map((width, at) => ({ colour: `load-${at}`, width }));
const CHANGE_RAMP = CHANGE_WIDTH.map((width, at) => ({ colour: `change-${at}`, width }));
const BYTE = Array.from({ length: 256 }, (_, value) => value);

const NET = FACTS.map;
const EDGES = NET.edges.length;
const SITES = NET.sites.length;
const NODES = NET.nodes.length;
const TWIGS = NET.twigs.length;
const ROW = { site: 2 * EDGES, node: 2 * EDGES + SITES, twig: 2 * EDGES + SITES + NODES };
const MAP = {
  steps: Math.ceil(FACTS.slots / NET.slots_per_step),
  // Everybody whose loads are known: the brains of this run, then those of the one it is held against.
  runs: [
    ...BRAINS.map((brain, index) => ({ name: brain.name, facts: NET, index })),
    ...(FACTS.against?.brains ?? []).map((brain, index) => ({ name: `${brain.name} @ ${FACTS.against.name}`, facts: FACTS.against, index })),
  ],
};
for (const run of MAP.runs) run.mean = run.facts.total[run.index].map((sum) => sum / Math.max(1, 2 * EDGES));

const LUT = {
  load: Uint8Array.from(BYTE, (value) => classOf(LOAD_FROM, value)),
  queue: Uint8Array.from(BYTE, (value) => classOf(QUEUE_FROM.map(doublingsOf), value)),
  share: Uint8Array.from(BYTE, (value) => (value === NOTHING ? NOTHING : classOf(SHARE_FROM, value))),
};
function classOf(from, value) { return from.findLastIndex((least) => value >= least); }
function loadClass(value) { return LUT.load[value]; }
function changeClass(value) { return classOf(CHANGE_FROM, value); }

// The tables at hand: those of the chosen brain, and of whatever the chosen layer needs besides.
const held = { load: null, queue: null, other: null, share: null };
function tableFor(what) {
  const run = MAP.runs[what === "other" ? state.rival : state.brain];
  if (what === "share") {
    const [kind, name] = state.asked.split("/");
    return unpack(FACTS.asked[kind].find(([one]) => one === name)[1], FACTS.asked.hours);
  }
  return unpack(run.facts[what === "queue" ? "waiting" : "percent"][run.index], MAP.steps);
}
async function holdTables() {
  const wanted = ["load", "queue", ...(state.layer === "change" ? ["other"] : []), ...(state.layer === "share" ? ["share"] : [])];
  const asked = wanted.map((what) => [what, tableFor(what)]);
  for (const [what, promise] of asked) {
    const table = await promise;
    if (tableFor(what) === promise) held[what] = table; // else the reader has chosen another meanwhile
  }
}

function at(table, row) { return table ? table[row * MAP.steps + state.step] : 0; }
function hourNow() { return Math.floor(state.step * NET.slots_per_step * FACTS.slot_ns / 3600e9); }
function shareAt(place) {
  const hour = hourNow();
  return !held.share || hour >= FACTS.asked.hours ? NOTHING : held.share[place * FACTS.asked.hours + hour];
}
function loadOf(row) { return at(held.load, row); }
function queueOf(row) { return countOfDoublings(at(held.queue, row)); }
function changeOf(row) { return at(held.load, row) - at(held.other, row); }
// Rows of an item: that of a to b and that of b to a, or its only one.
function rowsOf({ kind, index }) {
  if (kind === "edge") return [index, EDGES + index];
  if (kind === "twig") return [ROW.twig + index, ROW.twig + TWIGS + index];
  return [ROW[kind] + index];
}
// What the layer says of a row or place; NOTHING where it says nothing.
function valueOf(item, row) {
  if (state.layer === "load") return loadOf(row);
  if (state.layer === "queue") return queueOf(row);
  if (state.layer === "change") return changeOf(row);
  if (item.kind === "edge" || item.kind === "twig") return NOTHING;
  return shareAt(item.kind === "site" ? item.index : SITES + item.index);
}
function valueText(value) {
  if (state.layer === "share") return value === NOTHING ? "–" : `${value}%`;
  if (state.layer === "queue") return count(value);
  return state.layer === "change" ? signed(value) : `${value}%`;
}
function signed(value) { return text("map.points", `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value)}`); }
function strengthOf(value) { return state.layer === "change" ? Math.abs(value) : value === NOTHING ? -1 : value; }

const SHOWN = {
  sites: new Uint8Array(SITES), nodes: new Uint8Array(NODES), hidden: new Uint8Array(EDGES),
  edges: { there: new Uint8Array(EDGES), back: new Uint8Array(EDGES) }, twigs: { there: new Uint8Array(TWIGS), back: new Uint8Array(TWIGS) },
};
function shownNow() {
  const change = state.layer === "change";
  const fillRows = (into, first) => {
    if (change) { for (let index = 0; index < into.length; index += 1) into[index] = changeClass(changeOf(first + index)); return; }
    if (state.layer === "share") { into.fill(NOTHING); return; }
    const table = state.layer === "queue" ? held.queue : held.load;
    const classes = LUT[state.layer];
    for (let index = 0; index < into.length; index += 1) into[index] = classes[at(table, first + index)];
  };
  fillRows(SHOWN.edges.there, 0);
  fillRows(SHOWN.edges.back, EDGES);
  fillRows(SHOWN.twigs.there, ROW.twig);
  fillRows(SHOWN.twigs.back, ROW.twig + TWIGS);
  fillRows(SHOWN.sites, ROW.site);
  fillRows(SHOWN.nodes, ROW.node);
  if (state.layer === "share") {
    for (let site = 0; site < SITES; site += 1) SHOWN.sites[site] = LUT.share[shareAt(site)];
    for (let node = 0; node < NODES; node += 1) SHOWN.nodes[node] = LUT.share[shareAt(SITES + node)];
  }
  for (let edge = 0; edge < EDGES; edge += 1) SHOWN.hidden[edge] = Number(state.carrier !== "all" && NET.edges[edge][2] !== state.carrier);
  return { ...SHOWN, ramp: change ? CHANGE_RAMP : RAMP, strength: change ? CHANGE_STRENGTH : undefined };
}

// What every Chinese name of a centre ends with ("中心节点") says nothing on a map of centres.
function commonEnding(names) {
  if (names.length < 3) return "";
  return names.reduce((ending, name) => {
    let length = 0;
    while (length < Math.min(ending.length, name.length - 1) && ending.at(-1 - length) === name.at(-1 - length)) length += 1;
    return ending.slice(ending.length - length);
  }, names[0].slice(1)).match(/[\u4e00-\u9fff]*$/)[0];
}
MAP.ending = commonEnding(NET.sites.filter((site) => site[5] === "centre").map((site) => site[4]));
function siteName(index) { const [, , , name, zh] = NET.sites[index]; return named(name, zh); }
function shortName(index) {
  const name = siteName(index);
  return state.language === "zh" && MAP.ending && name.endsWith(MAP.ending) ? name.slice(0, -MAP.ending.length) : name;
}
function nodeName(index) { const [, name, zh] = NET.nodes[index]; return named(name, zh); }
function endName(end) { return end < 0 ? shortName(-1 - end) : nodeName(end); }
function carrierName(index) { return index < 0 ? text("map.no_carrier") : NET.carriers[index]; }
function endsOf({ kind, index }) {
  const [a, b] = (kind === "edge" ? NET.edges : NET.twigs)[index];
  return kind === "edge" ? [shortName(a), shortName(b)] : [endName(a), endName(b)];
}
function itemName(item) {
  if (item.kind === "site") return shortName(item.index);
  if (item.kind === "node") return nodeName(item.index);
  return endsOf(item).join(" – ");
}
function lineOf({ kind, index }) { return (kind === "edge" ? NET.edges : NET.twigs)[index]; }
function kindsOf({ kind, index }) {
  if (kind === "node") return [word("kinds", NET.kinds[NET.nodes[index][3]])];
  const [, , level, , , what] = NET.sites[index];
  return [word("levels", NET.levels[level]), word("kinds", what)];
}

// The step with the highest mean load; that of the busiest line would often be 100% for hours.
function peakStep(brain) { return MAP.runs[brain].mean.reduce((best, load, step, all) => (load > all[best] ? step : best), 0); }
function stepPeriod(step) {
  const spanNs = NET.slots_per_step * FACTS.slot_ns;
  return period(step * spanNs, Math.min((step + 1) * spanNs, FACTS.slots * FACTS.slot_ns));
}
