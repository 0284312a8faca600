// Charts of what a brain learnt. Each function returns the options of one chart for the state of the page.

const WEEK_HOURS = 168;
const MONDAY_MS = Date.UTC(2024, 0, 1);
const PROFILE_HEIGHT = 168;

function classTitle(of) { return state.language === "zh" ? of.title_zh : of.title_en; }
function profileColumns(width) { return width < 460 ? 1 : width < 800 ? 2 : 3; }
function profileHeight(width) { return Math.max(1, Math.ceil(CLASSES.length / profileColumns(width))) * PROFILE_HEIGHT; }
function profileOption(width) {
  if (!CLASSES.length) return emptyChart(text("profiles.empty"));
  const columns = profileColumns(width);
  const cellWidth = width / columns;
  const middays = Array.from({ length: 7 }, (_, day) => 24 * day + 12);
  const midnights = Array.from({ length: 8 }, (_, day) => 24 * day);
  const look = axisLook();
  const place = (index) => ({ left: (index % columns) * cellWidth, top: Math.floor(index / columns) * PROFILE_HEIGHT });
  return {
    title: CLASSES.map((one, index) => ({
      text: classTitle(one), left: place(index).left + 4, top: place(index).top,
      textStyle: { fontSize: 12.5, fontWeight: 600, color: token("ink"), width: cellWidth - 24, overflow: "truncate" },
    })),
    grid: CLASSES.map((_, index) => ({ left: place(index).left + 38, top: place(index).top + 28, width: cellWidth - 60, height: PROFILE_HEIGHT - 66 })),
    xAxis: CLASSES.map((_, index) => ({
      ...look, type: "value", gridIndex: index, min: 0, max: WEEK_HOURS, splitLine: { show: false }, axisTick: { ...look.axisTick, customValues: midnights },
      axisLabel: { ...look.axisLabel, customValues: middays, formatter: (hour) => date(MONDAY_MS + hour * 3600e3, { weekday: "short" }) },
      axisPointer: { label: { show: false } },
    })),
    yAxis: CLASSES.map((_, index) => valueAxis(figures, { gridIndex: index, splitNumber: 2, min: 0 })),
    tooltip: tooltip({
      trigger: "axis",
      formatter: (rows) => {
        const one = CLASSES[rows[0].axisIndex];
        const hour = Math.min(WEEK_HOURS - 1, Math.floor(rows[0].axisValue));
        const when = MONDAY_MS + hour * 3600e3;
        return tip(classTitle(one), [[date(when, { weekday: "long" }) + ` ${clock(when)}–${clock(when + 3600e3)}`, text("profiles.times", figures(one.profile[hour]))]]);
      },
    }),
    series: CLASSES.map((one, index) => ({
      name: classTitle(one), type: "line", symbol: "none", silent: true, xAxisIndex: index, yAxisIndex: index,
      data: steps(one.profile.map((_, hour) => hour), one.profile, WEEK_HOURS),
      lineStyle: { width: 1.4, color: token("brain-0") }, itemStyle: { color: token("brain-0") }, areaStyle: { color: token("brain-0"), opacity: 0.14 },
      markArea: { silent: true, itemStyle: { color: token("raised") }, data: [[{ xAxis: 120 }, { xAxis: WEEK_HOURS }]] },
    })),
  };
}

function bandOption(width) {
  const tides = FACTS.tides;
  const row = state.class === "all" ? CLASSES.length : state.class;
  const [median, upper, came] = [tides.p50[row], tides.p95[row], tides.seen?.came[row]];
  const starts = median.map((_, hour) => momentOf(hour * tides.step_ns));
  const endMs = momentOf(median.length * tides.step_ns);
  const days = FACTS.plan.days.map((day, index) => ({ ...day, from: START_MS + index * DAY_MS, to: START_MS + (index + 1) * DAY_MS }));
  const off = days.filter((day) => ["weekend", "holiday"].includes(day.kind));
  const outline = [...steps(starts, upper, endMs), ...steps(starts, median, endMs).reverse()];
  const line = (name, values, extra) => ({ name, type: "line", symbol: "none", silent: true, data: steps(starts, values, endMs), ...extra });
  const narrow = width < 560;
  return {
    grid: { left: narrow ? 46 : 62, right: narrow ? 12 : 24, top: 26, bottom: 26 },
    xAxis: timeAxis(median.length * tides.step_ns, { minInterval: DAY_MS, axisLabel: { ...axisLook().axisLabel, formatter: (ms) => date(ms, { weekday: "short", day: "numeric" }) } }),
    yAxis: valueAxis(compact, { min: 0 }),
    tooltip: tooltip({
      trigger: "axis",
      formatter: (rows) => {
        const at = indexAt(starts, rows[0].axisValue);
        const fromNs = at * tides.step_ns;
        return tip(period(fromNs, fromNs + tides.step_ns), [
          [text("band.p50"), count(median[at])], [text("band.p95"), count(upper[at])],
          ...(came && came[at] !== null ? [[text("band.came"), count(came[at])]] : [])]);
      },
    }),
    series: [
      {
        // Beneath everything else, so that days off do not veil the band.
        name: text("band.off"), type: "line", silent: true, z: 0, data: [], tooltip: { show: false },
        markArea: {
          silent: true, itemStyle: { color: token("raised"), opacity: 1 },
          label: { show: !narrow, position: "insideTop", distance: -18, color: token("muted"), fontSize: 11.5 },
          data: [
            ...off.map((day) => [{ xAxis: day.from }, { xAxis: Math.min(day.to, endMs) }]),
            ...days.filter((day) => dayMarks(day).length).map((day) => [{ xAxis: day.from, name: dayMarks(day).join(" · "), itemStyle: { color: "transparent" } }, { xAxis: Math.min(day.to, endMs) }]),
          ],
        },
      },
      {
        name: text("band.band"), type: "custom", silent: true, clip: true, z: 1, data: [[starts[0], upper[0]]], tooltip: { show: false },
        renderItem: (_, api) => ({ type: "polygon", shape: { points: outline.map((point) => api.coord(point)) }, style: { fill: token("brain-0"), opacity: 0.22 } }),
      },
      line(text("band.p95"), upper, { lineStyle: { width: 0 }, itemStyle: { color: token("brain-0") } }),
      line(text("band.p50"), median, {
        lineStyle: { width: 1.6, color: token("brain-0") }, itemStyle: { color: token("brain-0") }, z: 3,
      }),
      ...(came ? [line(text("band.came"), came, { connectNulls: false, lineStyle: { width: 1.6, color: token("brain-1") }, itemStyle: { color: token("brain-1") }, z: 4 })] : []),
    ],
  };
}
