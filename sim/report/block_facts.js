// Names and values, and paragraphs.

function factsBlock(block, { body }) {
  body.replaceChildren(element("dl", { class: "panel provenance" }, block.rows.flatMap(([name, value]) => [
    element("dt", {}, said(name)), element("dd", {}, Array.isArray(value) ? said(value) : value)])));
}
function textBlock(block, { body }) {
  body.replaceChildren(...said(block.text).split(/\n\s*\n/).map((paragraph) => element("p", { class: "prose" }, paragraph)));
}
