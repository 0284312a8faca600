// What every page has around its sections: title, contents, languages, provenance; and when it is drawn anew.

// Light or dark as the reader's system has it, until the reader chooses.
const darkness = matchMedia("(prefers-color-scheme: dark)");
let scheme = null;
function applyScheme() {
  const now = scheme ?? (darkness.matches ? "dark" : "light");
  document.documentElement.dataset.scheme = now;
  for (const button of document.querySelectorAll("[data-scheme-choice]")) button.setAttribute("aria-pressed", String(button.dataset.schemeChoice === now));
}
applyScheme();

function readersLanguage() { return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"; }
function frameTexts(sections) {
  document.documentElement.lang = LOCALES[state.language];
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  for (const button of document.querySelectorAll("[data-language]")) button.setAttribute("aria-pressed", String(button.dataset.language === state.language));
  fill("contents", sections.map((name) => element("a", { href: `#${name}` }, text(`nav.${name}`))));
}
function frameTitle(scenario) {
  const title = state.language === "zh" ? scenario.title_zh : scenario.title_en;
  document.title = `${title} · ${text("overline")}`;
  byId("title").textContent = title;
}
function frameStamp(provenance) {
  const stamp = [["scenario", provenance.scenario], ["seed", String(provenance.seed)], ["version", provenance.version], ["commit", (provenance.commit ?? text("unknown")).slice(0, 12)]];
  fill("stamp", stamp.map(([name, value]) => element("div", {}, element("dt", {}, text(`stamp.${name}`)), element("dd", { class: "mono" }, value))));
}
function mono(value) { return element("code", {}, value); }
function frameProvenance(rows) {
  fill("provenance-list", rows.flatMap(([name, value]) => [element("dt", {}, text(`prov.${name}`)), element("dd", {}, value)]));
}

// `first`: the section whose width tells when charts must be drawn anew. `paper`: sizes of charts in print.
function frameListen(first, render, drawCharts, paper) {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => { state.language = button.dataset.language; render(); });
  }
  darkness.addEventListener("change", () => { applyScheme(); render(); });
  for (const button of document.querySelectorAll("[data-scheme-choice]")) {
    button.addEventListener("click", () => { scheme = button.dataset.schemeChoice; applyScheme(); render(); });
  }
  let waiting = 0;
  let width = byId(first).clientWidth;
  const resized = () => {
    if (document.documentElement.classList.contains("printing") || byId(first).clientWidth === width) return;
    width = byId(first).clientWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => { for (const chart of charts.values()) chart.resize(); drawCharts(); });
  };
  new ResizeObserver(resized).observe(byId(first));
  // Paper is narrower than the screen and always light: charts are drawn anew for it, and scaled to what the page gives.
  const printing = (on) => () => {
    document.documentElement.classList.toggle("printing", on);
    if (on) for (const id of [...unseen.keys()]) build(id);
    for (const [id, chart] of charts) chart.resize(on ? { width: 680, height: byId(id).clientHeight, ...paper[id] } : undefined);
    drawCharts();
  };
  addEventListener("beforeprint", printing(true));
  addEventListener("afterprint", printing(false));
}
