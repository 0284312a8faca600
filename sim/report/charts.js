// The charts of a replay but the map. Each function returns the options of one chart for the state of the page.

function slotStarts(stepSlots, length) {
  return Array.from({ length }, (_, step) => momentOf(step * stepSlots * FACTS.slot_ns));
}

function tideOption(kind) {
  const tide = BRAINS[0].tide;
  const starts = tide.start_ns.map(momentOf);
  const endMs = momentOf(BRAINS[0].span_ns);
  // Sums painted over each other, the largest first: stacked areas of ECharts drop short steps and leave slivers.
  const sum = starts.map(() => 0);
  const series = FACTS.modes.map((mode, index) => {
    (tide[kind][mode] ?? []).forEach((value, at) => { sum[at] += value; });
    return {
      name: word("modes", mode), type: "line", symbol: "none", silent: true, data: steps(starts, [...sum], endMs), z: 2,
      lineStyle: { width: 0 }, itemStyle: { color: token(`mode-${index}`) }, areaStyle: { opacity: 1, color: token(`mode-${index}`) },
    };
  }).reverse();
  if (kind === "submitted") {
    BRAINS.forEach((brain, index) => series.push({
      name: brain.name, type: "line", symbol: "none", silent: true,
      data: steps(brain.tide.start_ns.map(momentOf), brain.tide.delivered, endMs),
      lineStyle: { width: 1.6, color: brainColour(index), type: dash(index) }, itemStyle: { color: brainColour(index) }, z: 3,
    }));
  }
  const show = kind === "bytes" ? bytes : count;
  return {
    grid: { left: 62, right: 24, top: 12, bottom: 26 },
    xAxis: timeAxis(BRAINS[0].span_ns),
    yAxis: valueAxis(kind === "bytes" ? bytes : compact),
    tooltip: tooltip({
      trigger: "axis",
      formatter: (rows) => {
        const at = indexAt(starts, rows[0].axisValue);
        const until = tide.start_ns[at + 1] ?? BRAINS[0].span_ns;
        const modes = FACTS.modes.map((mode) => [word("modes", mode), tide[kind][mode]?.[at] ?? 0]).reverse();
        const total = modes.reduce((sum, [, value]) => sum + value, 0);
        const delivered = kind === "submitted" ? BRAINS.map((brain) => [text("tides.delivered", brain.name), show(brain.tide.delivered[at])]) : [];
        return tip(period(tide.start_ns[at], until), [...modes.map(([name, value]) => [name, show(value)]), [text("tides.total"), show(total)], ...delivered]);
      },
    }),
    series,
  };
}
const NICE_NS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 10e9, 60e9, 600e9, 3600e9, 36000e9, 86400e9, 864000e9, 8640000e9];
function tailOption() {
  const curves = BRAINS.map((brain) => brain.tails[state.mode] ?? { latency_ns: [], share_above: [] });
  const latencies = curves.flatMap((curve) => curve.latency_ns).map((ns) => Math.log10(Math.max(1, ns)));
  if (!latencies.length) return emptyChart(text("tails.empty"));
  const shares = curves.flatMap((curve) => curve.share_above);
  const low = latencies.reduce((a, b) => Math.min(a, b)) - 0.08;
  const high = Math.max(low + 1, latencies.reduce((a, b) => Math.max(a, b)) + 0.08);
  const floor = Math.min(-3, Math.log10(shares.reduce((a, b) => Math.min(a, b))) - 0.15);
  const ticksX = NICE_NS.map(Math.log10).filter((value) => value >= low && value <= high);
  const ticksY = Array.from({ length: Math.floor(-floor) + 1 }, (_, index) => -index);
  const look = axisLook();
  const guide = (value, name) => ({ yAxis: Math.log10(value), label: { formatter: name }, value: name });
  const name = { nameLocation: "middle", nameTextStyle: { color: token("muted"), fontSize: AXIS_TEXT } };
  return {
    grid: { left: 68, right: 52, top: 16, bottom: 52 },
    xAxis: {
      ...look, ...name, type: "value", min: low, max: high, name: text("tails.latency"), nameGap: 32,
      axisTick: { ...look.axisTick, customValues: ticksX }, splitLine: { show: true, lineStyle: { color: token("grid") } },
      axisLabel: { ...look.axisLabel, customValues: ticksX, formatter: (value) => duration(10 ** value) },
      axisPointer: { snap: false, label: { show: false } },
    },
    yAxis: {
      ...look, ...name, type: "value", min: floor, max: 0, name: text("tails.share"), nameGap: 52,
      axisTick: { ...look.axisTick, customValues: ticksY }, splitLine: { show: true, lineStyle: { color: token("grid") } },
      axisLabel: { ...look.axisLabel, customValues: ticksY, formatter: (value) => percent(10 ** Math.round(value)) },
    },
    tooltip: tooltip({
      trigger: "axis",
      formatter: (rows) => {
        const at = 10 ** rows[0].axisValue;
        return tip(`> ${duration(at)}`, BRAINS.map((brain, index) => [brain.name, shareAbove(curves[index], at)]));
      },
    }),
    series: BRAINS.map((brain, index) => ({
      name: brain.name, type: "line", symbol: "none", lineStyle: { width: 2.2, color: brainColour(index), type: dash(index) }, itemStyle: { color: brainColour(index) },
      data: curves[index].latency_ns.map((ns, at) => [Math.log10(Math.max(1, ns)), Math.log10(curves[index].share_above[at])]),
      markLine: index > 0 ? undefined : {
        silent: true, symbol: "none", lineStyle: { color: token("faint"), type: [2, 4], width: 1 }, label: { color: token("muted"), fontSize: 12, position: "end" },
        data: [guide(0.5, "p50"), guide(0.05, "p95"), guide(0.01, "p99"), guide(0.001, "p99.9")],
      },
    })),
  };
}
function shareAbove(curve, ns) {
  const { latency_ns: times, share_above: shares } = curve;
  if (!times.length) return "–";
  if (ns < times[0]) return percent(1);
  const at = times.findIndex((time) => time > ns);
  return at < 0 ? percent(0) : percent(shares[at]);
}

function stationOption() {
  const { stations, busiest } = FACTS.bars;
  if (!stations.length) return emptyChart(text("map.idle"));
  const narrow = sizeOf("chart-stations").width < 560;
  const names = narrow ? 130 : 290;
  return {
    grid: { left: names + 12, right: 44, top: 26, bottom: 4 },
    xAxis: valueAxis(percent, { max: 1, interval: 0.25, position: "top" }),
    yAxis: {
      ...axisLook(), type: "category", inverse: true, data: stations.map(stationLabel), axisTick: { show: false },
      axisLabel: { color: token("ink"), fontSize: 12.5, width: names, overflow: narrow ? "break" : "truncate", interval: 0 }, splitLine: { show: false },
    },
    tooltip: tooltip({
      trigger: "axis", axisPointer: { type: "shadow", z: 0, shadowStyle: { color: token("raised"), opacity: 0.6 } },
      formatter: (rows) => tip(stationLabel(stations[rows[0].dataIndex]), BRAINS.map((brain, index) => [
        brain.name, `${percent(busiest[index][rows[0].dataIndex])} (${text("col.mean_use")} ${percent(FACTS.bars.mean[index][rows[0].dataIndex])})`])),
    }),
    series: BRAINS.map((brain, index) => ({
      name: brain.name, type: "bar", data: busiest[index], barGap: "12%", barCategoryGap: "38%", itemStyle: { color: brainColour(index), borderRadius: [0, 2, 2, 0] },
      label: { show: BRAINS.length < 4, position: "right", formatter: (row) => percent(row.value), color: token("muted"), fontSize: 11.5 },
    })),
  };
}

function queueOption() {
  const { stations, total, waiting, slots_per_step: stepSlots } = FACTS.queues;
  const panels = [{ name: text("queues.total"), rows: total }, ...stations.map((label, row) => ({ name: stationLabel(label), rows: waiting.map((of) => of[row]) }))];
  if (!stations.length) return emptyChart(text("queues.empty"));
  const { width, height } = sizeOf("chart-queues");
  const columns = Math.min(panels.length, width < 420 ? 1 : width < 600 ? 2 : 3);
  const lines = Math.ceil(panels.length / columns);
  const cellWidth = width / columns;
  const cellHeight = height / lines;
  const starts = slotStarts(stepSlots, total[0].length);
  const endMs = momentOf(FACTS.slots * FACTS.slot_ns);
  const place = (index) => ({ left: (index % columns) * cellWidth, top: Math.floor(index / columns) * cellHeight });
  return {
    title: panels.map((panel, index) => ({
      text: panel.name, left: place(index).left + 4, top: place(index).top,
      textStyle: { fontSize: 12.5, fontWeight: 600, color: token("ink"), width: cellWidth - 24, overflow: "truncate" },
    })),
    grid: panels.map((_, index) => ({
      left: place(index).left + 46, top: place(index).top + 32, width: cellWidth - 74, height: cellHeight - 66,
    })),
    xAxis: panels.map((_, index) => timeAxis(FACTS.slots * FACTS.slot_ns, { gridIndex: index, splitNumber: 3 })),
    yAxis: panels.map((_, index) => valueAxis(compact, { gridIndex: index, splitNumber: 3, minInterval: 1, min: 0 })),
    tooltip: tooltip({
      trigger: "axis",
      formatter: (rows) => {
        const panel = panels[rows[0].axisIndex];
        const at = indexAt(starts, rows[0].axisValue);
        const fromNs = at * stepSlots * FACTS.slot_ns;
        return tip(panel.name, [[period(fromNs, fromNs + stepSlots * FACTS.slot_ns), ""], ...BRAINS.map((brain, index) => [brain.name, count(panel.rows[index][at])])]);
      },
    }),
    series: panels.flatMap((panel, at) => BRAINS.map((brain, index) => ({
      name: brain.name, type: "line", symbol: "none", silent: true, xAxisIndex: at, yAxisIndex: at, data: steps(starts, panel.rows[index], endMs),
      lineStyle: { width: 1.5, color: brainColour(index), type: dash(index) }, itemStyle: { color: brainColour(index) },
      areaStyle: index === 0 ? { color: brainColour(index), opacity: 0.08 } : undefined,
    }))),
  };
}

// What a brain did over time beside routing: `of` gives a value a slot, or null where it did nothing of the kind.
function overTimeOption(of) {
  const starts = slotStarts(1, FACTS.slots);
  const endMs = momentOf(FACTS.slots * FACTS.slot_ns);
  const rows = BRAINS.map((brain, index) => ({ brain, index, values: of(brain) })).filter(({ values }) => values);
  return {
    grid: { left: 62, right: 24, top: 12, bottom: 26 },
    xAxis: timeAxis(FACTS.slots * FACTS.slot_ns),
    yAxis: valueAxis(compact, { min: 0, minInterval: 1 }),
    tooltip: tooltip({
      trigger: "axis",
      formatter: ([first]) => {
        const at = indexAt(starts, first.axisValue);
        return tip(period(at * FACTS.slot_ns, (at + 1) * FACTS.slot_ns), rows.map(({ brain, values }) => [brain.name, count(values[at] ?? 0)]));
      },
    }),
    series: rows.map(({ brain, index, values }) => ({
      name: brain.name, type: "line", symbol: "none", silent: true, data: steps(starts, starts.map((_, slot) => values[slot] ?? 0), endMs),
      lineStyle: { width: 1.6, color: brainColour(index), type: dash(index) }, itemStyle: { color: brainColour(index) },
    })),
  };
}
function heldAt(brain) { return brain.withheld?.at_slot_end ?? null; }
function lentAt(brain) {
  if (!brain.pools.length) return null;
  return brain.pools[0].lent.map((_, slot) => brain.pools.reduce((sum, pool) => sum + pool.lent[slot], 0));
}
