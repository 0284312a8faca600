// Points in a plane: a front is joined by a line, what was chosen stands out.

const CHOSEN_SYMBOLS = [["diamond", "◆"], ["triangle", "▲"], ["rect", "■"], ["pin", "⬥"]];
const LABEL_SIDES = ["top", "right", "bottom", "left"];
const LOOK_LAYER = { faint: 1, plain: 2, front: 3, chosen: 5 };

// How each group is drawn; groups of one look differ in colour or symbol.
function groupLooks(groups) {
  const seen = { plain: 0, chosen: 0 };
  return groups.map(({ look }) => {
    if (look === "faint") return { symbol: "circle", glyph: "●", size: 6, tone: "faint", opacity: 0.5 };
    if (look === "front") return { symbol: "circle", glyph: "●", size: 8, tone: "brain-0", line: true };
    if (look === "plain") { seen.plain += 1; return { symbol: "circle", glyph: "●", size: 8, tone: `brain-${(1 + seen.plain) % 6}` }; }
    const [symbol, glyph] = CHOSEN_SYMBOLS[seen.chosen % CHOSEN_SYMBOLS.length];
    seen.chosen += 1;
    return { symbol, glyph, size: 15, tone: "brain-1", edge: true };
  });
}
// What was chosen has its name beside it; at one place names share a label, so that none covers another.
function chosenLabels(groups) {
  const owners = new Map();
  groups.forEach(({ look, points }, index) => {
    if (look !== "chosen" || points.length !== 1) return;
    const place = points[0].join(" ");
    owners.set(place, [...(owners.get(place) ?? []), index]);
  });
  return new Map([...owners.values()].map((same, at) => [same.at(-1), { words: same.map((index) => said(groups[index].label)).join(" · "), side: LABEL_SIDES[at % 4] }]));
}
function scatterPlane(block, width) {
  const points = block.groups.flatMap((group) => group.points);
  return [
    planeAxis(block.x, points.map(([x]) => x), { wanted: width < 520 ? 3 : 6 }),
    planeAxis(block.y, points.map(([, y]) => y), { wanted: 5 }),
  ];
}
function scatterOption(block, width) {
  const [x, y] = scatterPlane(block, width);
  if (x.empty || y.empty) return emptyChart(text("block.empty"));
  const looks = groupLooks(block.groups);
  const labels = chosenLabels(block.groups);
  const narrow = width < 520;
  return {
    grid: { left: narrow ? 58 : 74, right: narrow ? 20 : 36, top: 14, bottom: 30 },
    xAxis: x.option, yAxis: y.option,
    tooltip: tooltip({
      trigger: "item",
      formatter: ({ seriesIndex, data }) => {
        const group = block.groups[seriesIndex];
        const [px, py] = group.points[data.at];
        const name = group.names?.[data.at];
        return tip(said(group.label), [...(name ? [[text("scatter.name"), name]] : []), [said(block.x.title), formed(block.x.form, px)], [said(block.y.title), formed(block.y.form, py)]]);
      },
    }),
    series: block.groups.map((group, index) => {
      const look = looks[index];
      const data = group.points.map(([px, py], at) => ({ at, value: [x.place(px), y.place(py)] })).filter(({ value }) => !value.includes(null));
      if (look.line) data.sort((one, other) => one.value[0] - other.value[0] || other.value[1] - one.value[1]);
      const colour = token(look.tone);
      return {
        name: said(group.label), type: look.line ? "line" : "scatter", data, z: LOOK_LAYER[group.look], symbol: look.symbol, symbolSize: look.size, showAllSymbol: true,
        itemStyle: { color: colour, opacity: look.opacity ?? 0.9, borderColor: look.edge ? token("ink") : token("surface"), borderWidth: look.edge ? 1.5 : 0.8 },
        lineStyle: { color: colour, width: 1.6 }, emphasis: { scale: 1.35 },
        label: {
          show: labels.has(index), formatter: labels.get(index)?.words ?? "", position: labels.get(index)?.side, color: token("ink"), fontSize: 12,
          textBorderColor: token("surface"), textBorderWidth: 3,
        },
      };
    }),
  };
}

function scatterBlock(block, { index, body }) {
  const id = `chart-${index}`;
  const above = element("p", { class: "axis-title" });
  const below = element("p", { class: "axis-title end" });
  const legend = element("figcaption", { class: "legend" });
  body.append(element("figure", { class: "panel" }, above, element("div", { class: "chart plane", id, role: "img" }), below, legend));
  return {
    texts() {
      const points = block.groups.flatMap((group) => group.points);
      above.textContent = `↑ ${said(block.y.title)}${axisKind(block.y, points.map(([, y]) => y))}`;
      below.textContent = `${said(block.x.title)}${axisKind(block.x, points.map(([x]) => x))} →`;
      const looks = groupLooks(block.groups);
      const hidden = block.groups.reduce((sum, { points }) => sum + points.filter(([x, y]) => (block.x.log && x <= 0) || (block.y.log && y <= 0)).length, 0);
      legend.replaceChildren(...block.groups.map((group, at) => (looks[at].line
        ? stroke(said(group.label), `var(--${looks[at].tone})`) : glyphed(said(group.label), looks[at].glyph, `var(--${looks[at].tone})`))),
      ...(hidden ? [element("span", {}, text("scatter.hidden", count(hidden)))] : []));
    },
    draw() { draw(id, () => scatterOption(block, sizeOf(id).width), text("scatter.describe", { title: said(block.title), groups: block.groups.map((group) => `${said(group.label)}: ${count(group.points.length)}`).join(", "), x: said(block.x.title), y: said(block.y.title) })); },
  };
}
function axisKind(axis, values) { return axis.log ? ` ${text("axis.log")}` : byFactors(axis.form, values) ? ` ${text("axis.factors")}` : ""; }
function glyphed(name, glyph, colour) { return element("span", {}, element("i", { class: "glyph", tone: colour, "aria-hidden": "true" }, glyph), name); }
