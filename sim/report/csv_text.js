// A table as CSV (RFC 4180): numbers as they are, texts in the reader's language.

// A spreadsheet would take a text that begins like this for a formula.
const FORMULA = /^[=+\-@\t\r]/;

function csvField(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const words = Array.isArray(value) ? said(value) : value;
  const safe = FORMULA.test(words) ? `'${words}` : words;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
function csvText(columns, rows) {
  const heads = columns.map(({ title, form }) => { const unit = text("units")[form]; return said(title) + (unit ? ` [${unit}]` : ""); });
  return [heads, ...rows].map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}
// The file is made here and now: nothing is fetched.
function saveFile(name, content) {
  // The mark at the beginning tells spreadsheets that it is UTF-8.
  const address = URL.createObjectURL(new Blob(["\ufeff", content], { type: "text/csv;charset=utf-8" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
async function copyText(content) {
  try { await navigator.clipboard.writeText(content); return true; } catch { /* not every browser gives files its clipboard */ }
  const area = element("textarea", { class: "sr-only" });
  const focused = document.activeElement;
  area.value = content;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}
