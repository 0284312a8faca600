// Curves over numbers or dates, with bands, limits across and marks that name a place on the x axis.

const FAR = 4; // a limit further off than so many heights of the curves would flatten them: it is told, not drawn
const MARK_ROW = 17;
const SAMPLED = 4000; // points from which a curve is thinned for drawing

function columnsOf(line) { return [line.y, line.low, line.high].filter(Boolean); }
function seriesExtent(block) {
  let [low, high] = [Infinity, -Infinity];
  for (const line of block.lines) for (const column of columnsOf(line)) {
    for (const value of column) if (value !== null && !(block.y.log && value <= 0)) { low = Math.min(low, value); high = Math.max(high, value); }
  }
  return [low, high];
}
// Limits that are drawn; what is far from every curve is not.
function nearLimits(block) {
  const [low, high] = seriesExtent(block);
  if (low > high) return block.limits;
  if (block.y.log) return block.limits.filter(([, value]) => value > 0);
  const size = Math.max(high - low, Math.abs(high), Math.abs(low)) || 1;
  return block.limits.filter(([, value]) => value <= high + FAR * size && value >= low - FAR * size);
}
function drawnValues(block, limits) { return [...block.lines.flatMap((line) => columnsOf(line).flat()), ...limits.map(([, value]) => value)]; }
// Parts of a band between gaps, each as one outline.
function bandOutlines(xs, line, place) {
  const parts = [];
  let open = null;
  xs.forEach((x, at) => {
    const [low, high] = [place(line.low[at]), place(line.high[at])];
    if (x === null || low === null || high === null) { open = null; return; }
    if (!open) { open = { upper: [], lower: [] }; parts.push(open); }
    open.upper.push([x, high]);
    open.lower.push([x, low]);
  });
  return parts.map(({ upper, lower }) => [...upper, ...lower.reverse()]);
}
// Labels of marks stand above the picture, in rows, so that none covers another.
function markRows(marks, across, from, width) {
  const ends = [];
  return marks.map((mark) => ({ mark, px: across(mark) })).sort((one, other) => one.px - other.px).map(({ mark, px }) => {
    const words = said(mark.label);
    const reach = [...words].reduce((sum, sign) => sum + (sign > "\u2e80" ? 12.5 : 6.8), 8);
    const right = px - from + reach > width;
    const begin = right ? px - reach : px;
    let row = ends.findIndex((end) => end <= begin);
    if (row < 0) row = ends.length < 4 ? ends.push(0) - 1 : 3;
    ends[row] = right ? px : px + reach;
    return { mark, row, right };
  });
}
function seriesOption(block, width) {
  const narrow = width < 520;
  const limits = nearLimits(block);
  const x = planeAxis(block.x, [...block.at, ...block.marks.map((mark) => mark.at)], { wanted: narrow ? 3 : 7, pad: 0.015 });
  const y = planeAxis(block.y, drawnValues(block, limits), { wanted: 5, pad: 0.07, zero: true });
  if (x.empty || y.empty) return emptyChart(text("block.empty"));
  const xs = block.at.map(x.place);
  const [left, right] = [narrow ? 58 : 74, narrow ? 16 : 28];
  const wide = width - left - right;
  const across = (mark) => left + wide * (x.place(mark.at) - x.low) / (x.high - x.low);
  const marks = markRows(block.marks.filter((mark) => x.place(mark.at) !== null), across, left, wide);
  const top = 14 + MARK_ROW * marks.reduce((most, { row }) => Math.max(most, row + 1), 0);
  const lines = block.lines.map((line, index) => {
    const colour = brainColour(index);
    const data = xs.map((at, place) => [at, y.place(line.y[place])]);
    const alone = (at) => (data[at - 1]?.[1] ?? null) === null && (data[at + 1]?.[1] ?? null) === null;
    return {
      name: said(line.label), type: "line", data, z: 3, connectNulls: false, symbol: "circle", showAllSymbol: true, sampling: data.length > SAMPLED ? "lttb" : undefined,
      // A value between gaps has no line: it is a point.
      symbolSize: data.length > SAMPLED ? 0 : (_, { dataIndex }) => (alone(dataIndex) ? 7 : data.length <= 40 ? 4 : 0),
      lineStyle: { width: 2, color: colour, type: dash(index) }, itemStyle: { color: colour }, emphasis: { disabled: true },
    };
  });
  const bands = block.lines.flatMap((line, index) => (line.low && line.high ? bandOutlines(xs, line, y.place).map((outline) => ({
    type: "custom", silent: true, clip: true, z: 1, data: [[outline[0][0], outline[0][1]]], tooltip: { show: false },
    renderItem: (_, api) => ({ type: "polygon", shape: { points: outline.map((point) => api.coord(point)) }, style: { fill: brainColour(index), opacity: 0.16 } }),
  })) : []));
  const rules = {
    type: "line", data: [], silent: true, z: 4, tooltip: { show: false },
    markLine: {
      silent: true, symbol: "none", animation: false,
      data: [
        ...limits.map(([words, value]) => ({
          yAxis: y.place(value), lineStyle: { color: token("load-4"), type: [6, 4], width: 1.5 },
          label: { position: "insideStartTop", formatter: `${said(words)} ${formed(block.y.form, value)}`, color: token("load-4"), fontSize: 12, textBorderColor: token("surface"), textBorderWidth: 3 },
        })),
        ...marks.map(({ mark, row, right: leftward }) => ({
          xAxis: x.place(mark.at), lineStyle: { color: token("muted"), type: [2, 3], width: 1.2 },
          label: { position: "end", formatter: said(mark.label), color: token("ink"), fontSize: 12, align: leftward ? "right" : "left", offset: [leftward ? -4 : 4, -MARK_ROW * row + 6], distance: 4 },
        })),
      ],
    },
  };
  return {
    grid: { left, right, top, bottom: 30 },
    xAxis: x.option, yAxis: y.option,
    tooltip: tooltip({
      trigger: "axis",
      formatter: (rows) => {
        const at = rows[0].dataIndex;
        return tip(formed(block.x.form, block.at[at]), block.lines.map((line) => [said(line.label), bandText(block.y.form, line, at)]));
      },
    }),
    series: [...lines, ...bands, rules],
  };
}
function bandText(form, line, at) {
  const [low, high] = [line.low?.[at] ?? null, line.high?.[at] ?? null];
  const value = formed(form, line.y[at]);
  return low === null && high === null ? value : `${value} [${formed(form, low)}, ${formed(form, high)}]`;
}

function seriesBlock(block, { index, body }) {
  const id = `chart-${index}`;
  const above = element("p", { class: "axis-title" });
  const below = element("p", { class: "axis-title end" });
  const legend = element("figcaption", { class: "legend" });
  body.append(element("figure", { class: "panel" }, above, element("div", { class: "chart plane", id, role: "img" }), below, legend));
  return {
    texts() {
      const drawn = nearLimits(block);
      above.textContent = `↑ ${said(block.y.title)}${axisKind(block.y, drawnValues(block, drawn))}`;
      below.textContent = `${said(block.x.title)}${axisKind(block.x, block.at)} →`;
      legend.replaceChildren(
        ...block.lines.map((line, at) => stroke(said(line.label), tone(at), dash(at))),
        ...(block.lines.some((line) => line.low && line.high) ? [swatch(text("series.band"), "color-mix(in srgb, var(--brain-0) 22%, transparent)")] : []),
        ...block.limits.filter((limit) => !drawn.includes(limit)).map(([words, value]) => element("span", {}, text("series.beyond", { name: said(words), value: formed(block.y.form, value) }))));
    },
    draw() { draw(id, () => seriesOption(block, sizeOf(id).width), seriesDescription(block)); },
  };
}
// What a curve does, for those who hear the page: where it begins and ends, and how far it goes.
function seriesDescription(block) {
  const lines = block.lines.map((line) => {
    const known = line.y.map((value, at) => ({ value, at })).filter(({ value }) => value !== null);
    if (!known.length) return `${said(line.label)}: –`;
    const most = known.reduce((a, b) => (b.value > a.value ? b : a));
    const show = ({ value, at }) => `${formed(block.y.form, value)} (${formed(block.x.form, block.at[at])})`;
    return text("series.line", { name: said(line.label), first: show(known[0]), last: show(known.at(-1)), most: show(most) });
  });
  return [said(block.title), ...lines, ...block.limits.map(([words, value]) => `${said(words)}: ${formed(block.y.form, value)}`),
    ...block.marks.map((mark) => `${said(mark.label)}: ${formed(block.x.form, mark.at)}`)].join(". ");
}
