// Ranked values, a bar each, with an optional second one beside it. Long lists open on demand.

const BARS_SHOWN = 20;

function barsBlock(block, { body }) {
  let whole = block.rows.length <= BARS_SHOWN + 4;
  let paper = false;
  const values = block.rows.flatMap(([, one, other]) => (other === null ? [one] : [one, other]));
  const low = values.reduce((a, b) => Math.min(a, b), 0);
  const high = values.reduce((a, b) => Math.max(a, b), 0);
  const size = high - low || 1;
  const two = block.rows.some(([, , other]) => other !== null);
  function bar(value, place) {
    const from = 100 * (Math.min(0, value) - low) / size;
    return element("span", { class: `bar-track bar-${place}`, "aria-hidden": "true" },
      element("i", { style: { left: `${from}%`, width: `${100 * Math.abs(value) / size}%` } }),
      low < 0 ? element("s", { style: { left: `${100 * -low / size}%` } }) : []);
  }
  function names() { return block.names ? block.names.map(said) : [text("bars.first"), text("bars.second")]; }
  function texts() {
    if (!block.rows.length) { body.replaceChildren(nothing()); return; }
    const shownRows = whole || paper ? block.rows : block.rows.slice(0, BARS_SHOWN);
    const rows = shownRows.map(([label, one, other]) => element("tr", {}, element("th", { scope: "row" }, said(label)),
      element("td", { class: "picture" }, bar(one, 0), other === null ? [] : bar(other, 1)),
      element("td", { class: "bar-value" }, element("div", {}, formed(block.form, one)), two ? element("div", { class: "second" }, formed(block.form, other)) : [])));
    const heads = [["", "bars.name"], ["picture", "intervals.picture"], ["bar-value", "bars.value"]].map(([kind, key]) => element("th", { scope: "col", class: kind },
      element("span", { class: "sr-only" }, key === "bars.value" && two ? names().join(", ") : text(key))));
    const more = whole || paper ? [] : element("button", { type: "button", class: "more-button", onclick: () => { whole = true; texts(); body.querySelector("table").focus(); } }, text("bars.all", count(block.rows.length)));
    body.replaceChildren(element("figure", { class: "panel" },
      two ? element("figcaption", { class: "legend above" }, names().map((name, at) => swatch(name, at ? "var(--brain-0)" : "var(--bar-before)"))) : [],
      element("table", { class: two ? "bars two" : "bars", "aria-label": said(block.title), tabindex: "-1" }, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, rows)), more));
  }
  return { texts, paper(on) { paper = on; if (!whole) texts(); } };
}
