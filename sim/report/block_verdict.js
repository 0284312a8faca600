// The answer in one sentence, with its confidence. Its tone is a sign and a word, and only then a colour.

const SIGNS = { good: "✓", bad: "✕", open: "?" };

function drawVerdict({ text: words, confidence, good }) {
  const tone = good === null ? "open" : good ? "good" : "bad";
  byId("verdict").dataset.tone = tone;
  fill("verdict",
    element("p", { class: "sentence" }, element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[tone]), element("span", {}, said(words))),
    element("p", { class: "standing" }, element("b", {}, text(`verdict.${tone}`)), ` · ${confidence === null ? text("verdict.plain") : text("verdict.confidence", confidenceText(confidence))}`));
}
// What is short of certain never reads as certain.
function confidenceText(share) { return share < 1 && share > 0.999 ? `> ${percent(0.999)}` : percent(share); }
