// What a page about a replay knows, and what its reader has chosen.

const FACTS = JSON.parse(byId("facts").textContent);
const BRAINS = FACTS.brains;
const START_MS = Date.parse(`${FACTS.run.start}Z`);
const LONG = FACTS.slots * FACTS.slot_ns > 30 * 3600e9;
const PERCENTILES = [["p50", "p50_ns"], ["p95", "p95_ns"], ["p99", "p99_ns"], ["p99.9", "p999_ns"]];
const STEERED = BRAINS.filter((brain) => brain.withheld || brain.pools.length);
const HELD = BRAINS.some((brain) => brain.withheld);
const LENT = BRAINS.some((brain) => brain.pools.length);
const PREPARED = STEERED.length > 0 || FACTS.plan !== null;
const LOGGED = BRAINS.filter((brain) => brain.log);
const SECTIONS = ["verdict", "map", ...(FACTS.against ? ["against"] : []), "tides", ...(LOGGED.length ? ["decisions"] : []), "tails", "stations", "pairs", ...(PREPARED ? ["prepared"] : []), "ledger", "provenance"];
const PAPER = {};
const state = {
  language: readersLanguage(),
  brain: 0, step: 0, layer: "load", carrier: "all", asked: "", rival: BRAINS.length > 1 ? 1 : BRAINS.length, mode: "all", playing: null,
  measure: "peak_mean", pool: "all",
  log: Math.max(0, BRAINS.findIndex((brain) => brain.log)), kind: "all", find: "", sinceMs: null, page: 0, logOrder: null, logZoom: { start: 0, end: 100 },
};
