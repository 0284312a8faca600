// Names and values, and paragraphs.

function nothing() { return element("p", { class: "panel note empty" }, text("block.empty")); }
function factsBlock(block, { body }) {
  return {
    texts() {
      body.replaceChildren(block.rows.length ? element("dl", { class: "panel provenance" }, block.rows.flatMap(([name, value]) => [
        element("dt", {}, said(name)), element("dd", {}, Array.isArray(value) ? said(value) : value)])) : nothing());
    },
  };
}
function textBlock(block, { body }) {
  return { texts() { body.replaceChildren(...said(block.text).split(/\n\s*\n/).map((paragraph) => element("p", { class: "prose" }, paragraph))); } };
}
