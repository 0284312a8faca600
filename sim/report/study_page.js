// The page of a study: its verdict, then its blocks, each drawn by its kind.

const FACTS = JSON.parse(byId("facts").textContent);
const PAGE = FACTS.page;
const PROVENANCE = FACTS.run.provenance;
const state = { language: readersLanguage() };
const BLOCKS = { facts: factsBlock, text: textBlock, table: tableBlock };

function verdict() {
  const { text: words, confidence, good } = PAGE.verdict;
  const tone = good === null ? "open" : good ? "good" : "bad";
  fill("verdict", element("p", { class: `tone ${tone}` }, `${text(`verdict.${tone}`)} · ${confidence === null ? text("verdict.plain") : text("verdict.confidence", percent(confidence))}`),
    element("p", { class: "sentence" }, said(words)));
}
function blocks() {
  fill("blocks", PAGE.blocks.map((block, index) => {
    const body = element("div", { class: `block ${block.kind}` });
    BLOCKS[block.kind]?.(block, { body, index });
    return element("section", { id: `block-${index + 1}` }, element("h2", {}, said(block.title)), block.note ? element("p", { class: "note" }, said(block.note)) : [], body);
  }));
}
function provenance() {
  const rows = Object.entries(PROVENANCE).map(([name, value]) => [name, mono(typeof value === "string" ? value : JSON.stringify(value))]);
  fill("provenance-list", rows.flatMap(([name, value]) => [element("dt", {}, TEXTS[state.language][`prov.${name}`] ?? name), element("dd", {}, value)]));
}
function render() {
  frameTexts(["verdict", "provenance"]);
  document.title = `${said(PAGE.title)} · ${text("overline")}`;
  byId("title").textContent = said(PAGE.title);
  byId("subtitle").textContent = said(PAGE.scenario);
  verdict();
  blocks();
  provenance();
}

render();
frameListen("verdict", render, () => {}, {});
