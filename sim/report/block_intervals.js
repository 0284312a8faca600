// Estimates with their intervals beside a reference: a row each, with the picture, the figures, and what they mean.

const SVG = "http://www.w3.org/2000/svg";
const TONES = { better: ["✓", "better"], worse: ["✕", "worse"], open: ["○", "open"] };

function drawing(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat(2));
  return made;
}
// Where values stand across the picture, in percent.
function intervalScale(block) {
  const all = block.rows.flatMap(({ low, high }) => [low, high]);
  const factors = byFactors(block.form, [block.reference, ...all]);
  const place = factors ? factorPlace : (value) => value;
  const [least, most] = [block.reference, ...all].reduce(([low, high], value) => [Math.min(low, place(value)), Math.max(high, place(value))], [Infinity, -Infinity]);
  const room = 0.06 * (most - least) || Math.abs(most) * 0.1 || 0.1;
  const [low, high] = [least - room, most + room];
  const percentAt = (value) => 100 * (place(value) - low) / (high - low);
  const ticks = factors ? factorTicks(low, high, 5) : linearTicks(low, high, block.form, 4);
  return { percentAt, ticks, factors };
}
function intervalPicture(row, scale, reference) {
  const at = (value) => `${scale.percentAt(value).toFixed(3)}%`;
  const mark = {
    better: () => drawing("circle", { r: 5.5 }), worse: () => drawing("rect", { x: -5, y: -5, width: 10, height: 10, transform: "rotate(45)" }), open: () => drawing("circle", { r: 4.8, class: "hollow" }),
  }[row.tone]();
  const end = (value) => drawing("line", { x1: at(value), x2: at(value), y1: 11, y2: 21, class: "range" });
  return drawing("svg", { class: `interval ${row.tone}`, width: "100%", height: 32, "aria-hidden": "true" },
    drawing("line", { x1: at(reference), x2: at(reference), y1: 0, y2: 32, class: "reference" }),
    drawing("line", { x1: at(row.low), x2: at(row.high), y1: 16, y2: 16, class: "range" }), end(row.low), end(row.high),
    drawing("svg", { x: at(row.value), y: 16, overflow: "visible" }, mark));
}
function intervalAxis(block, scale) {
  const anchors = scale.ticks.map((value) => scale.percentAt(value));
  return drawing("svg", { class: "interval-axis", width: "100%", height: 24, "aria-hidden": "true" }, scale.ticks.map((value, at) => [
    drawing("line", { x1: `${anchors[at]}%`, x2: `${anchors[at]}%`, y1: 0, y2: 5 }),
    drawing("text", { x: `${anchors[at]}%`, y: 19, "text-anchor": anchors[at] < 6 ? "start" : anchors[at] > 94 ? "end" : "middle" }, formed(block.form, value))]));
}
function intervalText(form, row) { return [strong(formed(form, row.value)), ` [${formed(form, row.low)}, ${formed(form, row.high)}]`]; }

function intervalsBlock(block, { body }) {
  return {
    texts() {
      if (!block.rows.length) { body.replaceChildren(nothing()); return; }
      const scale = intervalScale(block);
      const rows = block.rows.map((row) => element("tr", {},
        element("th", { scope: "row" }, said(row.label), row.note ? element("div", { class: "about" }, said(row.note)) : []),
        element("td", { class: "picture" }, intervalPicture(row, scale, block.reference)),
        element("td", { class: "estimate" }, intervalText(block.form, row)),
        element("td", { class: `meaning ${row.tone}` }, element("span", { "aria-hidden": "true" }, TONES[row.tone][0]), ` ${text(`tone.${row.tone}`)}`)));
      const heads = ["intervals.of", "", "intervals.value", "intervals.meaning"].map((key, at) => element("th", { scope: "col", class: at === 1 ? "picture" : null },
        key ? text(key) : element("span", { class: "sr-only" }, text("intervals.picture"))));
      body.replaceChildren(element("figure", { class: "panel" },
        element("table", { class: "forest", "aria-label": said(block.title) }, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, rows),
          element("tfoot", { "aria-hidden": "true" }, element("tr", {}, element("td", {}), element("td", { class: "picture" }, intervalAxis(block, scale)), element("td", { colspan: 2 })))),
        element("figcaption", { class: "legend" }, element("span", {}, text("intervals.reference", formed(block.form, block.reference))), scale.factors ? element("span", {}, text("intervals.factors")) : [])));
    },
  };
}
