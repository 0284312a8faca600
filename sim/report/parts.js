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

// A cell that shows a value in words and is sorted by the value itself.
function shown(value, format) { return { value: value ?? null, content: value === null || value === undefined ? "–" : format(value) }; }
// A cell of a group's later rows: the name is there for those who sort, or hear the table.
function again(name) { return { value: name, content: element("span", { class: "again" }, name) }; }

// A column: {name, text: left-aligned, wide: may wrap, plain: not to be sorted by}. A cell: text, node, or
// {content, value, best, tone}. Rows are sorted by `value`, or by the cell's text where it has none; what has no value
// comes last. `key` names the table, so that its order outlives a change of language. With `onSort(order)` the caller
// sorts and passes `order`, {column, down}; null is the order of `rows`.
const tableOrders = new Map();
function table(caption, columns, rows, { key = caption, order, onSort } = {}) {
  const cell = (content, index) => {
    const column = columns[index];
    const kind = [column.text && "text", column.wide && "wide-text", content?.best && "best"].filter(Boolean).join(" ");
    const inner = content?.best ? element("span", {}, content.content) : content?.content ?? content ?? "–";
    const made = element(index === 0 ? "th" : "td", { class: kind || null, scope: index === 0 ? "row" : null, tone: content?.tone }, inner);
    const value = content?.value !== undefined ? content.value : content === null || content === undefined ? null : made.textContent;
    return { made, value };
  };
  const lines = rows.map((row) => {
    const cells = (row.cells ?? row).map(cell);
    return { row: element("tr", { class: row.kind }, cells.map(({ made }) => made)), values: cells.map(({ value }) => value) };
  });
  const body = element("tbody", {}, lines.map(({ row }) => row));
  const sortable = columns.map((column) => Boolean(column.name) && !column.plain && (onSort || rows.length > 1));
  const heads = columns.map((column, index) => element("th", { scope: "col", class: column.text ? "text" : null }, sortable[index]
    ? element("button", { type: "button", class: "sort", onclick: () => turn(index) }, element("span", {}, column.name)) : column.name));
  let current = onSort ? order ?? null : tableOrders.get(key) ?? null;
  function turn(column) {
    const first = columns[column].text ? false : true; // figures: the largest first
    current = current?.column !== column ? { column, down: first } : current.down === first ? { column, down: !first } : null;
    if (onSort) { onSort(current); return; }
    tableOrders.set(key, current);
    apply();
  }
  function apply() {
    heads.forEach((head, index) => { if (sortable[index]) head.setAttribute("aria-sort", current?.column === index ? (current.down ? "descending" : "ascending") : "none"); });
    body.classList.toggle("sorted", Boolean(current));
    if (!onSort) body.append(...sortedRows(lines, current, ({ values }) => values[current.column]).map(({ row }) => row));
  }
  apply();
  return element("table", { "aria-label": caption }, element("thead", {}, element("tr", {}, heads)), body);
}
// A stable order by value: numbers by size, texts as the language has them.
function sortedRows(rows, order, valueOf) {
  if (!order) return rows;
  const words = new Intl.Collator(LOCALES[state.language], { numeric: true });
  const compare = (one, other) => (typeof one === "number" && typeof other === "number" ? one - other : words.compare(String(one), String(other)));
  return rows.map((row) => ({ row, value: valueOf(row) })).sort(({ value: one }, { value: other }) => {
    if (one === null || other === null) return one === other ? 0 : one === null ? 1 : -1;
    return order.down ? compare(other, one) : compare(one, other);
  }).map(({ row }) => row);
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
