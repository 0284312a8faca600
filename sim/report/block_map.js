// Values of sites and lines on a map, such as what their failure costs; beside it, the highest of them by rank.

const MAP_LEVELS = ["nation", "province", "city", "county"];
const MAP_RAMP = [1.2, 1.8, 2.6, 3.4, 4.4, 5.6].map((width, at) => ({ colour: `load-${at}`, width }));
const MAP_SIZES = [0.9, 1.1, 1.3, 1.5, 1.75, 2];
const MAP_RANKED = 12;
const SKEWED = 8; // so many times the median makes steps of the ramp factors, not distances

// From which value on each place in the ramp is taken.
function rampFrom(values) {
  const above = values.filter((value) => value > 0).sort((one, other) => one - other);
  if (!above.length) return [-Infinity];
  const most = above.at(-1);
  const round = (value) => Number(value.toPrecision(2));
  if (above.length > 2 && most > SKEWED * above[Math.floor(above.length / 2)]) {
    const least = Math.max(above[0], most / 1e4);
    return [-Infinity, ...[1, 2, 3, 4, 5].map((step) => round(least * (most / least) ** (step / 6)))];
  }
  const base = above[0] > 0.5 * most ? above[0] : 0;
  const step = (most - base) / MAP_RAMP.length || most;
  return [-Infinity, ...[1, 2, 3, 4, 5].map((count) => round(base + count * step)).filter((from, at, all) => from <= most && from !== all[at - 1])];
}
function rampPlace(from, value) { return value === null ? NOTHING : from.findLastIndex((low) => value >= low); }

function mapBlock(block, { index, body }) {
  const id = `chart-${index}`;
  const { sites, lines } = block;
  const every = (kind, of) => of.map((one, at) => ({ kind, index: at, value: one.value }));
  const ranked = [...every("site", sites), ...every("edge", lines)].filter(({ value }) => value !== null).sort((one, other) => other.value - one.value);
  const from = rampFrom(ranked.map(({ value }) => value));
  // Few steps take colours from the whole ramp.
  const ramp = from.map((_, at) => MAP_RAMP[from.length > 1 ? Math.round(at * (MAP_RAMP.length - 1) / (from.length - 1)) : 0]);
  const sizes = from.map((_, at) => MAP_SIZES[from.length > 1 ? Math.round(at * (MAP_SIZES.length - 1) / (from.length - 1)) : 0]);
  const host = element("div", { class: "chart", id });
  const list = element("ol", { class: "hot" });
  const title = element("h3", {});
  const legend = element("figcaption", { class: "legend" });
  const hint = element("p", { class: "note" });
  const zooms = element("div", { class: "segments", role: "group" });
  body.append(element("div", { class: "map-grid" },
    element("figure", { class: "panel map-panel" }, element("div", { class: "controls" }, zooms), host, legend), element("div", { class: "panel moment" }, title, list, hint)));
  let map = null;

  function siteName(at) { return named(sites[at].name, sites[at].label_zh); }
  function itemOf({ kind, index: at }) { return kind === "site" ? sites[at] : lines[at]; }
  function itemName(item) {
    const one = itemOf(item);
    if (item.kind === "site") return siteName(item.index);
    return `${siteName(one.a)} – ${siteName(one.b)}${one.carrier === null ? "" : ` · ${one.carrier}`}`;
  }
  function itemRows(item) {
    const one = itemOf(item);
    const kind = item.kind === "site" ? word("levels", one.level) : text("map_block.line");
    return [[kind, formed(block.form, one.value)], ...(one.note ? [["", said(one.note)]] : [])];
  }
  function itemLine(item) { return `${itemName(item)}. ${itemRows(item).map((row) => row.filter(Boolean).join(": ")).join(". ")}.`; }
  function begin() {
    map = canvasMap(host, {
      sites: sites.map(({ lon, lat, level }) => ({ x: lon, y: lat, level: Math.max(0, MAP_LEVELS.indexOf(level) < 0 ? MAP_LEVELS.length - 1 : MAP_LEVELS.indexOf(level)) })),
      edges: lines.map(({ a, b }) => ({ a, b })),
    }, {
      name: itemName, tip: (item) => tip(itemName(item), itemRows(item)), say: itemLine, paper: { width: 430, height: 500 },
      label: () => text("map_block.describe", { title: said(block.title), sites: count(sites.length), lines: count(lines.length) }),
      rank: (kind) => every(kind, kind === "site" ? sites : kind === "edge" ? lines : []).sort((one, other) => (other.value ?? -Infinity) - (one.value ?? -Infinity)).map(({ index: at }) => at),
    });
    const places = sites.map(({ value }) => rampPlace(from, value));
    map.show({
      ramp, sites: places, sizes: places.map((place) => (place === NOTHING ? 1 : sizes[place])), edges: { there: lines.map(({ value }) => rampPlace(from, value)) },
    });
  }
  function texts() {
    title.textContent = text("map_block.ranked");
    list.replaceChildren(...ranked.slice(0, MAP_RANKED).map((item) => element("li", {},
      element("div", { class: "row" },
        element("button", { type: "button", class: "plain", onclick: () => map?.pin(item) }, element("span", {}, itemName(item)), " ", element("span", { class: "more" }, item.kind === "site" ? word("levels", sites[item.index].level) : text("map_block.line"))),
        element("span", { class: "value" }, formed(block.form, item.value))),
      meter(ranked[0].value > 0 ? Math.max(0, item.value) / ranked[0].value : 0, `var(--${ramp[rampPlace(from, item.value)].colour})`))));
    hint.textContent = ranked.length ? text("map_block.hint", { shown: count(Math.min(MAP_RANKED, ranked.length)), all: count(ranked.length) }) : text("map_block.none");
    legend.replaceChildren(...from.map((low, at) => element("span", {},
      element("i", { class: "stroke", tone: `var(--${ramp[at].colour})`, style: { borderTopWidth: `${ramp[at].width + 0.5}px` } }), rangeText(at))),
    element("span", {}, element("i", { class: "stroke", tone: "var(--nothing)" }), text("map_block.unknown")));
    zooms.setAttribute("aria-label", text("map.zoom"));
    zooms.replaceChildren(...[["+", "map.zoom_in", () => map?.zoom(1.6)], ["−", "map.zoom_out", () => map?.zoom(1 / 1.6)], [text("map.zoom_all"), "map.zoom_all", () => map?.home()]]
      .map(([words, key, act]) => element("button", { type: "button", "aria-label": text(key), onclick: act }, words)));
  }
  function rangeText(at) {
    if (from.length === 1) return formed(block.form, 0);
    if (at === 0) return `< ${formed(block.form, from[1])}`;
    return at === from.length - 1 ? `≥ ${formed(block.form, from[at])}` : `${formed(block.form, from[at])} – ${formed(block.form, from[at + 1])}`;
  }
  return {
    texts,
    draw() {
      if (!sites.length) { body.replaceChildren(nothing()); return; }
      if (!map) begin(); else map.redraw();
    },
  };
}
