// A table of a study.

function tableBlock(block, { body }) {
  const columns = block.columns.map((column) => ({ name: said(column.title), text: NUMBERLESS.includes(column.form) }));
  const rows = block.rows.map((row) => row.map((value, at) => shown(value, (known) => formed(block.columns[at].form, known))));
  body.replaceChildren(element("div", { class: "panel scroll" }, table(said(block.title), columns, rows)));
}
