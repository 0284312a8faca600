// One time for the whole page: every chart over time shows the moment of the slider, and a click on one chooses it.

const clocks = new Map();
// To be called with each chart over time once it is drawn; all of its grids have time as their x axis.
function timed(chart) {
  const holder = chart.getDom();
  if (!clocks.has(holder.id)) {
    clocks.set(holder.id, { chart, marks: [], grids: 0 });
    chart.getZr().on("click", ({ offsetX, offsetY }) => {
      const { grids } = clocks.get(holder.id);
      const grid = Array.from({ length: grids }, (_, index) => index).findIndex((gridIndex) => chart.containPixel({ gridIndex }, [offsetX, offsetY]));
      if (grid < 0) return;
      play(false);
      chooseStep(indexAt(slotStarts(NET.slots_per_step, MAP.steps), chart.convertFromPixel({ xAxisIndex: grid }, offsetX)));
    });
  }
  const clock = clocks.get(holder.id);
  clock.grids = chart.getModel().queryComponents({ mainType: "grid" }).length;
  moveCursor(clock);
}
function moveCursors() { for (const clock of clocks.values()) moveCursor(clock); }
// In shares of the chart's size, so that paper may scale it.
function moveCursor({ chart, marks, grids }) {
  const width = chart.getWidth();
  const height = chart.getHeight();
  const spanNs = NET.slots_per_step * FACTS.slot_ns;
  while (marks.length > grids) marks.pop().remove();
  for (let grid = 0; grid < grids; grid += 1) {
    if (!marks[grid]) marks.push(chart.getDom().appendChild(element("i", { class: "now", "aria-hidden": "true" })));
    const { x, y, width: wide, height: high } = chart.getModel().getComponent("grid", grid).coordinateSystem.getRect();
    const from = chart.convertToPixel({ xAxisIndex: grid }, momentOf(state.step * spanNs));
    const to = chart.convertToPixel({ xAxisIndex: grid }, momentOf((state.step + 1) * spanNs));
    const span = Math.max(2, to - from);
    marks[grid].hidden = to < x - 1 || from > x + wide + 1;
    Object.assign(marks[grid].style, { left: `${100 * from / width}%`, width: `${100 * span / width}%`, top: `${100 * y / height}%`, height: `${100 * high / height}%` });
  }
}
