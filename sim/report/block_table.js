// A table: sorted by its heads, filtered, turned page by page when long, taken away as CSV.

const FILTERED = 20; // rows from which there is a filter
const PAGED = 500; // rows from which there are pages
const ROWS_A_PAGE = 100;
const PAPER_ROWS = 5000;
const MANY = 8; // columns from which paper has them smaller
const WRAPPED = 26; // characters from which a column of texts may wrap

function tableBlock(block, { body, name }) {
  const { columns, rows } = block;
  const wordy = columns.map(({ form }) => NUMBERLESS.includes(form));
  let order = null;
  let asked = "";
  let turned = 0;
  let paper = false;
  let shownRows = null; // the rows in question, in order; found anew when filter, order or language change
  let hay = null; // what each row can be found by, in the language of the page
  let language = null;
  const search = element("input", { type: "search", oninput: () => { asked = search.value; turned = 0; shownRows = null; fillTable(); } });
  const told = element("output", { "aria-live": "polite" });
  const pager = element("div", { class: "segments", role: "group" });
  const copy = element("button", { type: "button", onclick: async () => { if (await copyText(csvText(columns, found()))) told.textContent = text("table.copied", count(found().length)); } });
  const save = element("button", { type: "button", onclick: () => saveFile(`${name}.csv`, csvText(columns, found())) });
  const holder = element("div", { class: ["panel scroll", rows.length > FILTERED && "tall", columns.length > MANY && "many"].filter(Boolean).join(" ") });
  const taken = element("div", { class: "segments", role: "group" }, copy, save);
  body.append(element("div", { class: "controls table-tools" }, rows.length > FILTERED ? search : [], rows.length > PAGED ? pager : [], told, taken), holder);

  function valueOf(row, at) {
    const value = row[at];
    if (value === null) return null;
    return wordy[at] ? (Array.isArray(value) ? said(value) : String(value)) : typeof value === "number" ? value : formed(columns[at].form, value);
  }
  // What a row can be found by: its texts, its dates as written and as stored, its whole numbers.
  function wordsOf(row) {
    return row.map((value, at) => (typeof value === "number" && !wordy[at] ? (Number.isInteger(value) ? String(value) : "")
      : columns[at].form === "date" && typeof value === "string" ? `${value} ${formed("date", value)}` : formed(columns[at].form, value))).join("\n").toLowerCase();
  }
  // Every word asked for must occur in the row.
  function matching() {
    const words = asked.trim().toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return rows;
    hay ??= rows.map(wordsOf);
    return rows.filter((_, at) => words.every((word) => hay[at].includes(word)));
  }
  function found() { shownRows ??= sortedRows(matching(), order, (row) => valueOf(row, order.column)); return shownRows; }
  function sort(next) {
    order = next;
    shownRows = null;
    turned = 0;
    const focused = [...holder.querySelectorAll("thead th")].findIndex((head) => head.contains(document.activeElement));
    fillTable();
    if (focused >= 0) holder.querySelectorAll("thead th")[focused].querySelector("button").focus();
  }
  function fillTable() {
    const all = found();
    const pages = rows.length > PAGED && !paper ? Math.max(1, Math.ceil(all.length / ROWS_A_PAGE)) : 1;
    turned = Math.max(0, Math.min(turned, pages - 1));
    const from = turned * ROWS_A_PAGE;
    const here = paper ? all.slice(0, PAPER_ROWS) : rows.length > PAGED ? all.slice(from, from + ROWS_A_PAGE) : all;
    const heads = columns.map((column, at) => ({ name: said(column.title) || "–", text: wordy[at], wide: wide[at] }));
    const cells = here.map((row) => row.map((value, at) => ({ value: valueOf(row, at), content: formed(columns[at].form, value) })));
    const made = table(said(block.title), heads, cells, { order, onSort: sort });
    holder.replaceChildren(rows.length ? made : nothing(), ...(rows.length && !here.length ? [element("p", { class: "note empty" }, text("table.none"))] : []));
    holder.scrollTop = 0;
    told.textContent = text(rows.length > PAGED && !paper && all.length ? "table.page" : all.length < rows.length || here.length < all.length ? "table.filtered" : "table.rows",
      { from: count(from + 1), to: count(from + here.length), shown: count(here.length), found: count(all.length), all: count(rows.length), one: rows.length === 1 });
    for (const button of pager.children) button.disabled = Number(button.dataset.turn) < 0 ? turned === 0 : turned === pages - 1;
  }
  const wide = columns.map((_, at) => wordy[at] && rows.some((row) => String(row[at] ?? "").length > WRAPPED));
  return {
    texts() {
      if (language !== state.language) { language = state.language; shownRows = null; hay = null; }
      Object.assign(search, { placeholder: text("table.filter"), value: asked });
      search.setAttribute("aria-label", text("table.filter"));
      pager.setAttribute("aria-label", text("table.pages"));
      copy.textContent = text("table.copy");
      save.textContent = text("table.save");
      pager.replaceChildren(...[[-Infinity, "table.first"], [-1, "table.earlier"], [1, "table.later"], [Infinity, "table.last"]].map(([by, key]) => element("button", {
        type: "button", "data-turn": String(by), onclick: () => { turned = by === Infinity ? rows.length : Math.max(0, turned + by); fillTable(); },
      }, text(key))));
      Object.assign(holder, { tabIndex: 0 });
      holder.setAttribute("role", "region");
      holder.setAttribute("aria-label", said(block.title));
      fillTable();
    },
    paper(on) { paper = on; fillTable(); },
  };
}
