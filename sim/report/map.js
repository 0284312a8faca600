// The map of sites and lines, its timeline, and the list of the busiest lines at one moment.

const LOAD_FROM = [0, 10, 30, 50, 70, 90];
const LOAD_WIDTH = [1.1, 1.7, 2.3, 3, 3.8, 4.6];
const SITE_LOOK = [
  { symbol: "triangle", size: 13 }, { symbol: "diamond", size: 19 }, { symbol: "circle", size: 12 }, { symbol: "circle", size: 6.5 },
];
const HOT_LINES = 16;
const CROWDED = 300; // edges or sites
const SMALL = 480; // pixels

function prepareMap() {
  const { edges, sites, percent: stored } = FACTS.map;
  MAP.rows = 2 * edges.length + sites.length;
  MAP.steps = Math.ceil(FACTS.slots / FACTS.map.slots_per_step);
  MAP.loads = stored.map((encoded) => Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0)));
  MAP.busiest = MAP.loads.map(() => new Array(MAP.steps).fill(0));
  MAP.mean = MAP.loads.map(() => new Array(MAP.steps).fill(0));
  MAP.crowded = MAP.loads.map(() => 0); // rows times steps in the highest class
  MAP.loads.forEach((load, brain) => {
    for (let row = 0; row < 2 * edges.length; row += 1) {
      for (let step = 0; step < MAP.steps; step += 1) {
        const value = load[row * MAP.steps + step];
        MAP.busiest[brain][step] = Math.max(MAP.busiest[brain][step], value);
        MAP.mean[brain][step] += value / (2 * edges.length);
        if (value >= LOAD_FROM.at(-1)) MAP.crowded[brain] += 1;
      }
    }
  });
  // What every Chinese name of a centre ends with ("中心节点") says nothing on a map of centres.
  const names = sites.filter((site) => site[5] === "centre").map((site) => site[4]);
  MAP.ending = names.length < 3 ? "" : names.reduce((ending, name) => {
    let length = 0;
    while (length < Math.min(ending.length, name.length - 1) && ending.at(-1 - length) === name.at(-1 - length)) length += 1;
    return ending.slice(ending.length - length);
  }, names[0].slice(1)).match(/[\u4e00-\u9fff]*$/)[0];
  // Parallel edges bend apart; the same carrier always bends to the same side of a pair, as a < b.
  const beside = new Map();
  edges.forEach(([a, b], index) => {
    const key = a * sites.length + b;
    beside.set(key, [...(beside.get(key) ?? []), index]);
  });
  MAP.bend = new Array(edges.length).fill(0);
  for (const group of beside.values()) {
    group.forEach((edge, at) => { MAP.bend[edge] = (at - (group.length - 1) / 2) * Math.min(0.22, 0.44 / Math.max(1, group.length - 1)); });
  }
}
function loadOf(row) { return MAP.loads[state.brain][row * MAP.steps + state.step]; }
function edgeLoads(edge) { return [loadOf(edge), loadOf(FACTS.map.edges.length + edge)]; }
function siteLoad(site) { return loadOf(2 * FACTS.map.edges.length + site); }
function loadClass(value) { return LOAD_FROM.findLastIndex((from) => value >= from); }
function siteName(index) { const [, , , name, zh] = FACTS.map.sites[index]; return named(name, zh); }
function shortName(index) {
  const name = siteName(index);
  return state.language === "zh" && MAP.ending && name.endsWith(MAP.ending) ? name.slice(0, -MAP.ending.length) : name;
}
function carrierName(index) { return index < 0 ? text("map.no_carrier") : FACTS.map.carriers[index]; }
function shownEdges() {
  return FACTS.map.edges.map((edge, index) => index).filter((index) => state.carrier === "all" || FACTS.map.edges[index][2] === state.carrier);
}

// The step with the highest mean load; that of the busiest line would often be 100% for hours.
function peakStep(brain) { return MAP.mean[brain].reduce((best, load, step, all) => (load > all[best] ? step : best), 0); }
function stepPeriod(step) {
  const spanNs = FACTS.map.slots_per_step * FACTS.slot_ns;
  return period(step * spanNs, Math.min((step + 1) * spanNs, FACTS.slots * FACTS.slot_ns));
}

// Degrees of longitude shrink with latitude; both axes keep one scale, whatever the shape of the panel.
function mapWindow() {
  const { width, height } = sizeOf("chart-map");
  const { sites } = FACTS.map;
  const xs = sites.map((site) => site[0]);
  const ys = sites.map((site) => site[1]);
  const low = [Math.min(...xs), Math.min(...ys)];
  const high = [Math.max(...xs), Math.max(...ys)];
  const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
  const shrink = Math.max(0.2, Math.cos(middle[1] * Math.PI / 180));
  const [left, right, above, below] = width < SMALL ? [22, 64, 26, 26] : [44, 92, 30, 34]; // room for the names
  const scale = Math.min((width - left - right) / Math.max(1e-3, (high[0] - low[0]) * shrink), (height - above - below) / Math.max(1e-3, high[1] - low[1]));
  const from = [middle[0] - (width - right + left) / 2 / scale / shrink, middle[1] - (height - above + below) / 2 / scale];
  return { x: [from[0], from[0] + width / scale / shrink], y: [from[1], from[1] + height / scale] };
}

function edgeData() {
  const { edges, sites } = FACTS.map;
  const thin = edges.length > CROWDED ? 0.55 : sizeOf("chart-map").width < SMALL ? 0.75 : 1;
  return shownEdges().map((index) => ({ index, load: Math.max(...edgeLoads(index)) })).sort((one, other) => one.load - other.load || one.index - other.index)
    .map(({ index, load }) => {
      const [a, b] = edges[index];
      const kind = loadClass(load);
      return {
        edge: index, coords: [sites[a].slice(0, 2), sites[b].slice(0, 2)],
        lineStyle: { color: token(`load-${kind}`), width: LOAD_WIDTH[kind] * thin, curveness: state.carrier === "all" ? MAP.bend[index] : 0 },
      };
    });
}
function siteData(level) {
  const scale = FACTS.map.sites.length > CROWDED ? 0.45 : sizeOf("chart-map").width < SMALL ? 0.8 : 1;
  return FACTS.map.sites.map((site, index) => ({ site, index })).filter(({ site }) => site[2] === level).map(({ site, index }) => ({
    value: site.slice(0, 2), site: index, symbol: SITE_LOOK[level].symbol, symbolSize: SITE_LOOK[level].size * scale,
    itemStyle: { color: token(`load-${loadClass(siteLoad(index))}`) },
  }));
}
function mapSeries() {
  const crowded = FACTS.map.sites.length > CROWDED;
  const levelsNamed = crowded ? 2 : sizeOf("chart-map").width < SMALL ? 3 : 4;
  return [
    { id: "edges", type: "lines", coordinateSystem: "cartesian2d", data: edgeData(), zlevel: 0, z: 2, progressive: 0, lineStyle: { opacity: 1, cap: "round" }, emphasis: { lineStyle: { width: 6 } } },
    ...FACTS.map.levels.map((_, level) => ({
      id: `level-${level}`, type: "scatter", data: siteData(level), z: 6 - level, clip: false,
      itemStyle: { opacity: 1, borderColor: token("ink"), borderWidth: (level === 3 ? 1 : 1.5) * (crowded ? 0.4 : 1) },
      label: {
        show: level < levelsNamed, position: level === 3 ? "bottom" : "right", distance: level === 3 ? 2 : 6, formatter: (row) => shortName(row.data.site),
        fontSize: [12, 13.5, 12.5, 10.5][level], fontWeight: level === 1 ? 600 : level === 3 ? 400 : 500, color: token(level === 3 ? "muted" : "ink"),
        textBorderColor: token("surface"), textBorderWidth: 3,
      },
      labelLayout: { hideOverlap: true },
    })),
  ];
}
function mapOption() {
  if (!FACTS.map.sites.length) return emptyChart(text("map.empty"));
  const view = mapWindow();
  const axis = { type: "value", show: false };
  const zoom = { type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseMove: true, disabled: matchMedia("(pointer: coarse)").matches, ...state.zoom };
  return {
    grid: { left: 0, right: 0, top: 0, bottom: 0 },
    xAxis: { ...axis, min: view.x[0], max: view.x[1] },
    yAxis: { ...axis, min: view.y[0], max: view.y[1] },
    dataZoom: [{ ...zoom, id: "x", xAxisIndex: 0 }, { ...zoom, id: "y", yAxisIndex: 0 }],
    tooltip: tooltip({ trigger: "item", formatter: (row) => (row.seriesType === "lines" ? edgeTip(row.data.edge) : siteTip(row.data.site)) }),
    series: mapSeries(),
  };
}
function edgeTip(index) {
  const [a, b, carrier, there, back] = FACTS.map.edges[index];
  const [forward, backward] = edgeLoads(index);
  return tip(`${siteName(a)} – ${siteName(b)} · ${carrierName(carrier)}`, [
    [`→ ${siteName(b)}`, `${forward}% · ${rate(there)}`], [`→ ${siteName(a)}`, `${backward}% · ${rate(back)}`],
  ]);
}
function siteTip(index) {
  const [, , level, , , kind, nodes] = FACTS.map.sites[index];
  return tip(siteName(index), [
    [word("levels", FACTS.map.levels[level]), word("kinds", kind)], [text("map.nodes"), count(nodes)], [text("map.processing"), `${siteLoad(index)}%`],
  ]);
}

function stripOption() {
  const stepSlots = FACTS.map.slots_per_step;
  const starts = slotStarts(stepSlots, MAP.steps);
  const endNs = FACTS.slots * FACTS.slot_ns;
  return {
    grid: { left: 48, right: 12, top: 8, bottom: 24 },
    xAxis: timeAxis(endNs),
    yAxis: valueAxis((value) => `${figures(value)}%`, { min: 0, splitNumber: 2 }),
    tooltip: tooltip({
      trigger: "axis",
      formatter: (rows) => {
        const step = indexAt(starts, rows[0].axisValue);
        return tip(stepPeriod(step), BRAINS.map((brain, index) => [brain.name, text("map.strip_tip", { mean: percent(MAP.mean[index][step] / 100), top: `${MAP.busiest[index][step]}%` })]));
      },
    }),
    series: BRAINS.map((brain, index) => ({
      id: `mean-${index}`, name: brain.name, type: "line", symbol: "none", silent: true, data: steps(starts, MAP.mean[index], momentOf(endNs)),
      lineStyle: { width: 1.5, color: brainColour(index), type: dash(index) }, itemStyle: { color: brainColour(index) }, markArea: index ? undefined : cursor(),
    })),
  };
}
function cursor() {
  const spanNs = FACTS.map.slots_per_step * FACTS.slot_ns;
  return { silent: true, itemStyle: { color: token("ink"), opacity: 0.28 }, data: [[{ xAxis: momentOf(state.step * spanNs) }, { xAxis: momentOf((state.step + 1) * spanNs) }]] };
}

function drawMap() {
  const description = text("map.describe", { sites: FACTS.map.sites.length, edges: FACTS.map.edges.length, brain: BRAINS[state.brain].name, time: stepPeriod(state.step) });
  const chart = draw("chart-map", mapOption(), description);
  chart.off("datazoom");
  chart.on("datazoom", () => { const { start, end } = chart.getOption().dataZoom[0]; state.zoom = { start, end }; });
  const strip = draw("chart-strip", stripOption(), text("map.strip_describe"));
  strip.getZr().off("click");
  strip.getZr().on("click", (event) => {
    const at = strip.convertFromPixel({ seriesIndex: 0 }, [event.offsetX, event.offsetY]);
    if (at) chooseStep(indexAt(slotStarts(FACTS.map.slots_per_step, MAP.steps), at[0]));
  });
}
// Only what depends on the moment; redrawing all of it at every move of the slider would be slow on large networks.
function drawMoment() {
  if (FACTS.map.sites.length) charts.get("chart-map").setOption({ series: mapSeries().map(({ id, data }) => ({ id, data })) });
  charts.get("chart-strip").setOption({ series: [{ id: "mean-0", markArea: cursor() }] });
  momentPanel();
}
function momentPanel() {
  const { edges } = FACTS.map;
  const time = stepPeriod(state.step);
  const slider = byId("slot");
  slider.max = String(MAP.steps - 1);
  slider.value = String(state.step);
  slider.setAttribute("aria-valuetext", time);
  slider.setAttribute("aria-label", text("map.slider"));
  byId("slot-label").textContent = LONG ? time : `${shortDate(START_MS)}, ${time}`;
  byId("moment-title").textContent = text("map.moment", { time });
  const loads = shownEdges().map((index) => ({ index, load: Math.max(...edgeLoads(index)), both: edgeLoads(index) }));
  const hot = loads.filter(({ load }) => load > 0).sort((one, other) => other.load - one.load || one.index - other.index).slice(0, HOT_LINES);
  fill("moment-lines", hot.map(({ index, load }) => {
    const [a, b, carrier] = edges[index];
    const [from, to] = edgeLoads(index)[0] === load ? [a, b] : [b, a];
    return element("li", {},
      element("div", { class: "row" }, element("span", {}, `${shortName(from)} → ${shortName(to)} `, element("span", { class: "more" }, carrierName(carrier))), element("span", {}, `${load}%`)),
      meter(load / 100, `var(--load-${loadClass(load)})`));
  }));
  const mean = loads.reduce((sum, { both }) => sum + both[0] + both[1], 0) / Math.max(1, 2 * loads.length) / 100;
  const busy = loads.filter(({ load }) => load >= 90).length;
  byId("moment-note").textContent = hot.length ? text("map.shown", { shown: count(busy), all: count(loads.length), mean: percent(mean) }) : text("map.idle");
}
function mapLegend() {
  const classes = LOAD_FROM.map((from, index) => {
    const line = element("i", { class: "stroke", tone: `var(--load-${index})`, style: { borderTopWidth: `${LOAD_WIDTH[index] + 0.5}px` } });
    return element("span", {}, line, index === LOAD_FROM.length - 1 ? `≥ ${from}%` : `${from}–${LOAD_FROM[index + 1]}%`);
  });
  const present = new Set(FACTS.map.sites.map((site) => site[2]));
  const levels = FACTS.map.levels.map((name, level) => ({ name, level })).filter(({ level }) => present.has(level)).map(({ name, level }) => {
    const size = Math.max(7, SITE_LOOK[level].size * 0.75);
    const shape = { width: `${size}px`, height: `${size}px` };
    if (SITE_LOOK[level].symbol === "circle") shape.borderRadius = "50%";
    if (SITE_LOOK[level].symbol === "diamond") shape.transform = "rotate(45deg) scale(.8)";
    if (SITE_LOOK[level].symbol === "triangle") Object.assign(shape, { clipPath: "polygon(50% 0, 100% 100%, 0 100%)", background: "var(--ink)" });
    return element("span", {}, element("i", { class: "point", style: shape }), word("levels", name));
  });
  fill("map-legend", element("span", {}, text("map.load")), classes, element("i", { class: "break" }), levels);
  fill("strip-legend", element("span", {}, text("map.strip")), BRAINS.map((brain, index) => stroke(brain.name, tone(index), dash(index))));
}
