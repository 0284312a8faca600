// The page of a study: its verdict, then its blocks, each drawn by its kind.

const FACTS = JSON.parse(byId("facts").textContent);
const PAGE = FACTS.page;
const PROVENANCE = FACTS.run.provenance;
const OUTLINED = 4; // blocks above which the page has a list of them
const BLOCKS = {
  table: tableBlock, intervals: intervalsBlock, scatter: scatterBlock, series: seriesBlock, bars: barsBlock, map: mapBlock, facts: factsBlock, text: textBlock,
};
const state = { language: readersLanguage() };

// A block's anchor: its place, and its English title for who reads addresses.
function anchor(block, index) {
  const words = block.title[0].toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 40);
  return ["part", index + 1, words].filter(Boolean).join("-");
}
const DRAWN = PAGE.blocks.map((block, index) => {
  const [title, note, body] = [element("h2", {}), element("p", { class: "note" }), element("div", { class: `block ${block.kind}-block` })];
  const id = anchor(block, index);
  byId("blocks").append(element("section", { id }, title, note, body));
  return { id, block, title, note, ...BLOCKS[block.kind](block, { body, index: index + 1, name: id }) };
});

function masthead() {
  document.title = `${said(PAGE.title)} · ${said(PAGE.scenario)} · ${text("overline")}`;
  byId("title").textContent = said(PAGE.title);
  byId("subtitle").textContent = said(PAGE.scenario);
  const stamp = [["scenario", PROVENANCE.scenario], ["version", PROVENANCE.version], ["commit", PROVENANCE.commit?.slice(0, 12)], ["seeds", seedsText()]];
  fill("stamp", stamp.filter(([, value]) => value).map(([name, value]) => element("div", {}, element("dt", {}, text(`stamp.${name}`)), element("dd", { class: "mono" }, value))));
}
function seedsText() {
  const seeds = PROVENANCE.seeds ?? (PROVENANCE.seed === undefined ? [] : [PROVENANCE.seed]);
  if (seeds.length < 2) return seeds.join("");
  const run = seeds.every((seed, at) => at === 0 || seed === seeds[at - 1] + 1);
  const list = run ? `${seeds[0]}–${seeds.at(-1)}` : seeds.length <= 6 ? seeds.join(", ") : `${seeds[0]}, ${seeds[1]}, … ${seeds.at(-1)}`;
  return text("seeds.span", { count: count(seeds.length), list });
}
function contents() {
  const parts = DRAWN.map(({ id, block }) => ({ id, name: said(block.title) }));
  const link = ({ id, name }) => element("a", { href: `#${id}` }, name);
  const long = DRAWN.length > OUTLINED;
  const ends = [{ id: "verdict", name: text("nav.verdict") }, { id: "provenance", name: text("nav.provenance") }];
  fill("contents", [ends[0], ...(long ? [{ id: "outline", name: text("nav.outline") }] : parts), ends[1]].map(link));
  byId("outline").hidden = !long;
  byId("outline").setAttribute("aria-label", text("nav.outline"));
  fill("outline", element("ol", {}, [...parts, ends[1]].map((part) => element("li", {}, link(part)))));
}
// Lists of plain values on one line, of things a line each; what is null is left out.
function plainText(value) {
  if (Array.isArray(value)) return value.map(plainText).join(value.some((one) => typeof one === "object") ? "\n" : ", ");
  if (value === null || typeof value !== "object") return String(value);
  return Object.entries(value).filter(([, of]) => of !== null && of.length !== 0).map(([name, of]) => `${name.replaceAll("_", " ")}: ${plainText(of)}`).join(" · ");
}
function provenance() {
  fill("provenance-list", Object.entries(PROVENANCE).filter(([, value]) => value !== null && value !== undefined && value.length !== 0).flatMap(([name, value]) => [
    element("dt", {}, TEXTS[state.language][`prov.${name}`] ?? name.replaceAll("_", " ")), element("dd", {}, mono(plainText(value)))]));
}
function drawCharts() { for (const { draw: drawn } of DRAWN) drawn?.(); }
function render() {
  frameTexts([]);
  masthead();
  drawVerdict(PAGE.verdict);
  contents();
  for (const { block, title, note, texts } of DRAWN) {
    title.textContent = said(block.title);
    note.textContent = said(block.note);
    note.hidden = !block.note;
    texts();
  }
  provenance();
  drawCharts();
}

render();
frameListen("verdict", render, drawCharts, Object.fromEntries(DRAWN.map((_, index) => [`chart-${index + 1}`, { height: 330 }])));
// Paper has all rows.
for (const [event, on] of [["beforeprint", true], ["afterprint", false]]) addEventListener(event, () => { for (const { paper } of DRAWN) paper?.(on); });
