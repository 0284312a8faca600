// Small parts of the page. Texts enter the document as text nodes only, so no name can ever act as markup.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "tone") made.style.setProperty("--tone", value);
    else if (name === "style") Object.assign(made.style, value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}
function byId(id) { return document.getElementById(id); }
function fill(id, ...children) { byId(id).replaceChildren(...children.flat()); }
function strong(value) { return element("b", {}, value); }
function tone(index) { return `var(--brain-${index % 6})`; }
function token(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }
function brainColour(index) { return token(`brain-${index % 6}`); }
const DASHES = ["solid", "dashed", "dotted"];
// Brains of one colour, six apart, differ in their dashes.
function dash(index) { return DASHES[(index + Math.floor(index / 6)) % DASHES.length]; }

// Buttons of which one is pressed.
function segments(id, label, choices, chosen, choose) {
  const holder = byId(id);
  const focused = holder.contains(document.activeElement) ? [...holder.children].indexOf(document.activeElement) : -1;
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-label", label);
  holder.replaceChildren(...choices.map(({ value, name, colour }) => element("button", {
    type: "button", "aria-pressed": String(value === chosen), "data-value": value, tone: colour, onclick: () => choose(value),
  }, name)));
  if (focused >= 0) holder.children[focused].focus();
}
function brainSegments(id) {
  const choices = BRAINS.map((brain, index) => ({ value: index, name: brain.name, colour: tone(index) }));
  segments(id, text("brain"), choices, state.brain, chooseBrain);
}

// A column: {name, text: left-aligned, wide: may wrap}. A cell: text, node, or {best, content}.
function table(caption, columns, rows) {
  const cell = (content, index) => {
    const column = columns[index];
    const kind = [column.text && "text", column.wide && "wide-text", content?.best && "best"].filter(Boolean).join(" ");
    const inner = content?.best ? element("span", {}, content.content) : content?.content ?? content ?? "–";
    const made = element(index === 0 ? "th" : "td", { class: kind || null, scope: index === 0 ? "row" : null, tone: content?.tone }, inner);
    return made;
  };
  return element("table", { "aria-label": caption },
    element("thead", {}, element("tr", {}, columns.map((column) => element("th", { scope: "col", class: column.text ? "text" : null }, column.name)))),
    element("tbody", {}, rows.map((row) => element("tr", { class: row.kind }, (row.cells ?? row).map(cell)))));
}
function meter(share, colour) {
  return element("span", { class: "meter", tone: colour, "aria-hidden": "true" }, element("i", { style: { width: `${Math.min(100, 100 * share)}%` } }));
}
function tip(title, rows) {
  return element("div", { class: "tip" }, element("b", {}, title),
    element("table", {}, element("tbody", {}, rows.map(([name, value]) => element("tr", {}, element("td", {}, name), element("td", {}, value))))));
}
function swatch(name, colour) { return element("span", {}, element("i", { class: "swatch", tone: colour }), name); }
function stroke(name, colour, style = "solid") { return element("span", {}, element("i", { class: `stroke ${style}`, tone: colour }), name); }
function brainLegend(id) { fill(id, BRAINS.map((brain, index) => stroke(brain.name, tone(index), dash(index)))); }
