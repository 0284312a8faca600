// A map of sites and lines on canvas, with pan, zoom, pins and single nodes close by.
//
// canvasMap(host, data, options) returns { show, redraw, resize, zoom, home, pan, pin, step, view, place, pinned, canvas }.
//   host     an empty element with a height of its own; it becomes focusable.
//   data     sites: [{ x, y, level }]  degrees of longitude and latitude; level 0 nation, 1 province, 2 city, 3 county
//            edges: [{ a, b }]         between two sites, by their places in `sites`; parallel ones bend apart
//            nodes: [{ site }]         optional: what stands around a site, seen once one is near enough
//            twigs: [{ a, b }]         optional: lines between nodes; -1 - s stands for site s itself
//   options  name(item)      a short label in the language of the page. An item: { kind, index }, kind one of
//                            "site", "edge", "node", "twig"
//            tip(item)       an element for the pointer's tooltip and for a pin
//            say(item)       one line for those who hear the page; it goes into a live region
//            label()         what the map is, for those who hear the page
//            paper           optional: { width, height } in print
//            onPin(item)     optional: an item was pinned, or null
//            onView()        optional: the view has changed
//            rank(kind)      optional: items of a kind, the ones that matter first, for the keys N and P
//
// show({ ramp, sites, sizes, edges, nodes, twigs, hidden }) draws values. ramp: [{ colour, width }], low to high; a colour is a
//   CSS variable's name without dashes. sites, nodes: a place in the ramp each. edges, twigs: { there, back }, such arrays
//   for a to b and for b to a (`back` may be left out). `NOTHING` stands for no value. hidden: 1 for edges to leave out.
//   sizes: optional factors on the symbols of sites.
//   In a ramp with two ends, `strength` says which of its places stand out (an array as long as the ramp, more is stronger;
//   the place itself if not given): the stronger is drawn later, and of a line's two directions it gives the colour.
//   Arrays may be kept and refilled by the caller: one call a frame is what the time slider does.
// redraw() after a change of language or colours; resize({ width, height }) for paper, resize() for the screen again.
// zoom(factor), home(), pan(dx, dy) [pixels]; pin(item or null); step(1 or -1) moves the keyboard's focus over items.
// view() tells { scale, x, y }: 1 is the whole; place(item) its pixels on the canvas; pinned() the pinned item.
//
// Keys: arrows move, + and - zoom, 0 shows all, N and P go over items, Enter pins, Escape lets go.
// The wheel zooms with Ctrl, or once the map has the focus, so that a page scrolls past it.

const NOTHING = 255;
const ZOOM_MAX = 60;
const DISC_SHOWN = 30; // pixels of a site's disc from which its nodes are drawn, and
const NEAR = 1.8; // the zoom from which any are
const DISC_NAMED = 150;
const BOTH_WAYS = 2.2; // zoom from which a line's two directions are drawn side by side
const SITE_RADIUS = [6, 8.5, 5.6, 3.4];
const GOLDEN = 2.399963;

function canvasMap(host, data, options) {
  const { sites, edges } = data;
  const nodes = data.nodes ?? [];
  const twigs = data.twigs ?? [];
  const layers = ["under", "over"].map((name) => element("canvas", { class: `map-${name}`, "aria-hidden": "true" }));
  const [under, over] = layers.map((canvas) => canvas.getContext("2d"));
  const frame = element("div", { class: "map-layers" }, layers);
  const live = element("p", { class: "sr-only", "aria-live": "polite" });
  const bubble = element("div", { class: "map-tip", hidden: true });
  host.replaceChildren(frame, bubble, live);
  Object.assign(host, { tabIndex: 0 });
  host.setAttribute("role", "application");
  host.classList.add("canvas-map");

  const size = { width: 0, height: 0, ratio: 1 };
  const view = { scale: 1, x: 0, y: 0 };
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let values = null;
  let paper = null;
  let base = null;
  let colours = new Map();
  let placed = null;
  let hovered = null;
  let focused = null;
  let fixed = null;
  let frameAsked = 0;
  let dirty = { under: false, over: false };
  let flight = 0;
  const bend = bends();
  const shape = shapes();

  // Parallel edges bend apart; the same order always bends to the same side of a pair.
  function bends() {
    const beside = new Map();
    edges.forEach(({ a, b }, index) => {
      const key = Math.min(a, b) * sites.length + Math.max(a, b);
      if (!beside.has(key)) beside.set(key, []);
      beside.get(key).push(index);
    });
    const found = new Float64Array(edges.length);
    for (const group of beside.values()) {
      const gap = Math.min(0.16, 0.4 / Math.max(1, group.length - 1));
      group.forEach((edge, at) => { found[edge] = (at - (group.length - 1) / 2) * gap * (edges[edge].a < edges[edge].b ? 1 : -1); });
    }
    return found;
  }
  // Degrees of longitude shrink with latitude; nodes stand in a sunflower around their site, clear of the neighbours'.
  function shapes() {
    const ys = sites.map((site) => site.y);
    const middle = sites.length ? (Math.min(...ys) + Math.max(...ys)) / 2 : 0;
    const shrink = Math.max(0.2, Math.cos(middle * Math.PI / 180));
    const x = Float64Array.from(sites, (site) => site.x * shrink);
    const y = Float64Array.from(sites, (site) => -site.y);
    const extent = sites.length ? Math.hypot(Math.max(...x) - Math.min(...x), Math.max(...y) - Math.min(...y)) : 1;
    const radius = Float64Array.from(sites, (_, one) => {
      let nearest = extent > 0 ? 0.2 * extent : 1;
      for (let other = 0; other < sites.length; other += 1) {
        if (other !== one) nearest = Math.min(nearest, Math.hypot(x[one] - x[other], y[one] - y[other]));
      }
      return 0.44 * Math.max(nearest, 1e-6);
    });
    const members = sites.map(() => []);
    nodes.forEach((node, index) => members[node.site].push(index));
    const nodeX = new Float64Array(nodes.length);
    const nodeY = new Float64Array(nodes.length);
    members.forEach((some, site) => some.forEach((node, at) => {
      const reach = radius[site] * Math.sqrt((at + 2.5) / (some.length + 2.5));
      nodeX[node] = x[site] + reach * Math.cos(at * GOLDEN);
      nodeY[node] = y[site] + reach * Math.sin(at * GOLDEN);
    }));
    return { x, y, radius, members, nodeX, nodeY };
  }

  function fit() {
    const { x, y } = shape;
    const narrow = size.width < 480;
    const [left, right, above, below] = narrow ? [24, 60, 28, 28] : [44, 84, 34, 34]; // room for the names
    const low = [Math.min(...x), Math.min(...y)];
    const high = [Math.max(...x), Math.max(...y)];
    const scale = Math.min(
      Math.max(40, size.width - left - right) / Math.max(1e-3, high[0] - low[0]),
      Math.max(40, size.height - above - below) / Math.max(1e-3, high[1] - low[1]),
    );
    base = {
      scale,
      x: (size.width + left - right) / 2 - scale * (low[0] + high[0]) / 2,
      y: (size.height + above - below) / 2 - scale * (low[1] + high[1]) / 2,
    };
  }
  // From the map's own plane to pixels: p = x * scale + offset.
  function lens() {
    const scale = base.scale * view.scale;
    return { scale, x: base.x * view.scale + view.x, y: base.y * view.scale + view.y };
  }
  function bound() {
    view.scale = Math.max(1, Math.min(ZOOM_MAX, view.scale));
    const roomX = size.width * (view.scale - 1);
    const roomY = size.height * (view.scale - 1);
    const slack = view.scale > 1 ? 0.35 : 0;
    view.x = Math.max(-roomX - slack * size.width, Math.min(slack * size.width, view.x));
    view.y = Math.max(-roomY - slack * size.height, Math.min(slack * size.height, view.y));
    host.style.touchAction = view.scale > 1.01 ? "none" : "pan-y";
  }
  function moved() {
    bound();
    placed = null;
    ask("under", "over");
    options.onView?.();
  }
  function zoomAt(factor, px, py) {
    const before = view.scale;
    view.scale = Math.max(1, Math.min(ZOOM_MAX, before * factor));
    const real = view.scale / before;
    view.x = px - (px - view.x) * real;
    view.y = py - (py - view.y) * real;
    moved();
  }
  // A change of view takes a moment, so that the eye can follow; none for those who asked for no motion.
  function fly(target) {
    cancelAnimationFrame(flight);
    const from = { ...view };
    if (still.matches || document.documentElement.classList.contains("printing")) { Object.assign(view, target); moved(); return; }
    const begun = performance.now();
    const move = (now) => {
      const share = Math.min(1, Math.max(0, (now - begun) / 180));
      const eased = 1 - (1 - share) ** 3;
      for (const key of ["scale", "x", "y"]) view[key] = from[key] + (target[key] - from[key]) * eased;
      moved();
      if (share < 1) flight = requestAnimationFrame(move);
    };
    flight = requestAnimationFrame(move);
  }
  // Towards what is marked, else the middle.
  function middle() {
    const item = focused ?? fixed;
    const spot = item && place(item);
    return spot && inView(spot, 0) ? spot : [size.width / 2, size.height / 2];
  }
  function zoom(factor, px = middle()[0], py = middle()[1]) {
    const scale = Math.max(1, Math.min(ZOOM_MAX, view.scale * factor));
    const real = scale / view.scale;
    fly(scale === 1 ? { scale: 1, x: 0, y: 0 } : { scale, x: px - (px - view.x) * real, y: py - (py - view.y) * real });
  }
  function home() { fly({ scale: 1, x: 0, y: 0 }); }
  function pan(dx, dy) { view.x += dx; view.y += dy; moved(); }

  function ask(...which) {
    for (const one of which) dirty[one] = true;
    if (!frameAsked) frameAsked = requestAnimationFrame(paint);
  }
  function paint() {
    cancelAnimationFrame(frameAsked);
    frameAsked = 0;
    if (!base || !values) return;
    const through = lens();
    if (dirty.under) paintUnder(through);
    if (dirty.over) paintOver(through);
    dirty = { under: false, over: false };
  }
  function colour(name) {
    if (!colours.has(name)) colours.set(name, token(name));
    return colours.get(name);
  }
  function clear(brush) {
    brush.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    brush.clearRect(0, 0, size.width, size.height);
  }

  function sitePlace(site, through) { return [shape.x[site] * through.scale + through.x, shape.y[site] * through.scale + through.y]; }
  function nodePlace(node, through) { return [shape.nodeX[node] * through.scale + through.x, shape.nodeY[node] * through.scale + through.y]; }
  function endPlace(end, through) { return end < 0 ? sitePlace(-1 - end, through) : nodePlace(end, through); }
  function discOf(site, through) { return shape.radius[site] * through.scale; }
  function inView([px, py], margin) { return px > -margin && py > -margin && px < size.width + margin && py < size.height + margin; }
  function opened(site, through) {
    const disc = discOf(site, through);
    return view.scale >= NEAR && disc >= DISC_SHOWN && shape.members[site].length > 0 && inView(sitePlace(site, through), disc + 20);
  }
  function siteOf(end) { return end < 0 ? -1 - end : nodes[end].site; }
  function symbolRadius(site, through) {
    const crowd = sites.length > 300 ? Math.max(0.35, Math.sqrt(300 / sites.length)) : 1;
    const narrow = size.width < 480 ? 0.85 : 1;
    return SITE_RADIUS[sites[site].level] * (values.sizes?.[site] ?? 1) * crowd * narrow * Math.min(2.1, view.scale ** 0.3);
  }
  // Start, control point and end of an edge's curve; `side` moves it to one side of the pair, for one direction.
  function curve(edge, through, side) {
    const { a, b } = edges[edge];
    const [ax, ay] = sitePlace(a, through);
    const [bx, by] = sitePlace(b, through);
    const dx = bx - ax;
    const dy = by - ay;
    const long = Math.hypot(dx, dy) || 1;
    const ox = -dy / long * side;
    const oy = dx / long * side;
    const lean = bend[edge] * 2;
    return [ax + ox, ay + oy, (ax + bx) / 2 - dy * lean / 2 + 2 * ox, (ay + by) / 2 + dx * lean / 2 + 2 * oy, bx + ox, by + oy];
  }
  function trace(brush, points) {
    brush.moveTo(points[0], points[1]);
    brush.quadraticCurveTo(points[2], points[3], points[4], points[5]);
  }
  function strength(at) { return values.strength ? values.strength[at] : at; }
  function busier(pair, index) {
    const there = pair.there[index];
    const back = pair.back ? pair.back[index] : NOTHING;
    if (there === NOTHING) return back;
    return back === NOTHING || strength(there) >= strength(back) ? there : back;
  }
  // One path for each place in the ramp: a few strokes draw thousands of lines.
  function paintUnder(through) {
    clear(under);
    const { ramp, hidden } = values;
    const order = ramp.map((_, at) => at).sort((one, other) => strength(one) - strength(other));
    const thin = edges.length > 300 ? 0.55 : size.width < 480 ? 0.8 : 1;
    const swell = Math.min(1.6, view.scale ** 0.2) * thin;
    const both = view.scale >= BOTH_WAYS && values.edges.back;
    const lanes = [NOTHING, ...order].map(() => []);
    const twigLanes = [NOTHING, ...order].map(() => []);
    const laneOf = new Map([[NOTHING, 0], ...order.map((at, index) => [at, index + 1])]);
    for (let edge = 0; edge < edges.length; edge += 1) {
      if (hidden?.[edge]) continue;
      if (both) {
        lanes[laneOf.get(values.edges.there[edge])].push(edge);
        lanes[laneOf.get(values.edges.back[edge])].push(~edge);
      } else lanes[laneOf.get(busier(values.edges, edge))].push(edge);
    }
    const open = sites.map((_, site) => opened(site, through));
    if (open.includes(true)) {
      twigs.forEach(({ a, b }, twig) => {
        if (open[siteOf(a)] || open[siteOf(b)]) twigLanes[laneOf.get(values.twigs ? busier(values.twigs, twig) : NOTHING)].push(twig);
      });
    }
    under.lineCap = "round";
    const stroke = (lane, width, tone, draw) => {
      if (!lane.length) return;
      under.beginPath();
      for (const one of lane) draw(one);
      under.lineWidth = width;
      under.strokeStyle = tone;
      under.stroke();
    };
    const widthOf = (at) => (at === NOTHING ? 1 : ramp[at].width);
    const toneOf = (at) => colour(at === NOTHING ? "nothing" : ramp[at].colour);
    [NOTHING, ...order].forEach((at, lane) => stroke(twigLanes[lane], 0.75 * Math.min(2.4, widthOf(at)), toneOf(at), (twig) => {
      const [ax, ay] = endPlace(twigs[twig].a, through);
      const [bx, by] = endPlace(twigs[twig].b, through);
      under.moveTo(ax, ay);
      under.lineTo(bx, by);
    }));
    [NOTHING, ...order].forEach((at, lane) => {
      const width = widthOf(at) * swell;
      stroke(lanes[lane], width, toneOf(at), (one) => trace(under, both
        ? curve(one < 0 ? ~one : one, through, (one < 0 ? -1 : 1) * (width / 2 + 0.9)) : curve(one, through, 0)));
    });
    if (both) arrows(through, lanes, order, swell);
    nodes.forEach((node, index) => {
      if (!open[node.site]) return;
      const [px, py] = nodePlace(index, through);
      const disc = discOf(node.site, through);
      under.beginPath();
      under.arc(px, py, Math.max(1.6, Math.min(5.5, disc / Math.sqrt(shape.members[node.site].length + 3) / 4)), 0, 2 * Math.PI);
      under.fillStyle = toneOf(values.nodes ? values.nodes[index] : NOTHING);
      under.fill();
      if (disc > 60) { under.lineWidth = 0.8; under.strokeStyle = colour("ink"); under.stroke(); }
    });
    const byLevel = sites.map((_, site) => site).sort((one, other) => sites[other].level - sites[one].level);
    const crowded = sites.length > 300;
    for (const site of byLevel) {
      const place = sitePlace(site, through);
      if (!inView(place, 20)) continue;
      symbol(under, site, place, symbolRadius(site, through));
      under.fillStyle = values.sites[site] === NOTHING ? colour("surface") : toneOf(values.sites[site]);
      under.fill();
      under.lineWidth = (sites[site].level === 3 ? 1 : 1.5) * (crowded ? 0.5 : 1);
      under.strokeStyle = colour("ink");
      under.stroke();
    }
  }
  // Close by, the two directions of a line are told apart: small heads say which way each goes.
  function arrows(through, lanes, order, swell) {
    order.forEach((at, index) => {
      const width = values.ramp[at].width * swell;
      under.fillStyle = colour(values.ramp[at].colour);
      under.beginPath();
      for (const one of lanes[index + 1]) {
        const points = curve(one < 0 ? ~one : one, through, (one < 0 ? -1 : 1) * (width / 2 + 0.9));
        const along = one < 0 ? 0.4 : 0.6;
        const [px, py] = onCurve(points, along);
        if (!inView([px, py], 10)) continue;
        const [qx, qy] = onCurve(points, one < 0 ? along - 0.02 : along + 0.02);
        const angle = Math.atan2(qy - py, qx - px);
        const reach = 4 + 1.4 * width;
        under.moveTo(px + reach * Math.cos(angle), py + reach * Math.sin(angle));
        for (const turn of [2.5, -2.5]) under.lineTo(px + reach * Math.cos(angle + turn), py + reach * Math.sin(angle + turn));
        under.closePath();
      }
      under.fill();
    });
  }
  function onCurve([ax, ay, cx, cy, bx, by], t) {
    const s = 1 - t;
    return [s * s * ax + 2 * s * t * cx + t * t * bx, s * s * ay + 2 * s * t * cy + t * t * by];
  }
  function symbol(brush, site, [px, py], radius) {
    brush.beginPath();
    const { level } = sites[site];
    const corners = level === 0 ? [[0, -1.15], [1.1, 0.85], [-1.1, 0.85]] : level === 1 ? [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]] : null;
    if (!corners) { brush.arc(px, py, radius, 0, 2 * Math.PI); return; }
    corners.forEach(([dx, dy], at) => brush[at ? "lineTo" : "moveTo"](px + dx * radius, py + dy * radius));
    brush.closePath();
  }

  // Names, where there is room: the upper levels first, beside, below or above their point. Kept until the view moves.
  function labels(through) {
    if (placed) return placed;
    placed = [];
    const taken = [];
    const family = getComputedStyle(document.body).fontFamily;
    const free = (box, among) => among.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
    const points = [];
    const put = (item, place, radius, fontSize, weight, tone) => {
      if (!inView(place, 0)) return;
      const words = options.name(item);
      const font = `${weight} ${fontSize}px ${family}`;
      over.font = font;
      const width = over.measureText(words).width;
      const [px, py] = place;
      const gap = radius + 4;
      const high = fontSize * 1.15;
      const up = py - gap - high + 2;
      const down = py + gap - 2;
      const spots = [[px + gap, py - high / 2], [px - gap - width, py - high / 2], [px - width / 2, down], [px - width / 2, up],
        [px + 0.7 * gap, up + 3], [px + 0.7 * gap, down - 3], [px - 0.7 * gap - width, up + 3], [px - 0.7 * gap - width, down - 3]];
      const boxes = spots.map(([left, top]) => [left - 2, top, left + width + 2, top + high])
        .filter((box) => box[0] >= 1 && box[1] >= 1 && box[2] <= size.width - 1 && box[3] <= size.height - 1 && free(box, taken));
      // Names of the upper levels rather cover a point of the lowest than stay away.
      const box = boxes.find((one) => free(one, points)) ?? (item.kind === "site" && sites[item.index].level < 3 ? boxes[0] : undefined);
      if (!box) return;
      taken.push(box);
      placed.push({ item, words, font, tone, x: box[0] + 2, y: box[1] + high / 2 });
    };
    const shown = sites.map((_, site) => site).filter((site) => sites.length <= 300 || view.scale > 2 || sites[site].level < 2);
    shown.sort((one, other) => sites[one].level - sites[other].level || one - other);
    for (const site of shown) {
      const [px, py] = sitePlace(site, through);
      const radius = symbolRadius(site, through);
      (sites[site].level < 3 ? taken : points).push([px - radius, py - radius, px + radius, py + radius]);
    }
    for (const site of shown) {
      const { level } = sites[site];
      const grown = Math.min(1.5, Math.max(0, Math.log2(view.scale)) * 0.6);
      const county = level === 3;
      put({ kind: "site", index: site }, sitePlace(site, through), symbolRadius(site, through), [12, 14, 13, 11][level] + grown, [500, 650, 550, 400][level], county ? "muted" : "ink");
    }
    sites.forEach((_, site) => {
      if (!opened(site, through) || discOf(site, through) < DISC_NAMED) return;
      for (const node of shape.members[site]) put({ kind: "node", index: node }, nodePlace(node, through), 4, 11, 400, "muted");
    });
    return placed;
  }
  function paintOver(through) {
    clear(over);
    over.textBaseline = "middle";
    over.lineJoin = "round";
    for (const label of labels(through)) {
      over.font = label.font;
      over.lineWidth = 3.5;
      over.strokeStyle = colour("surface");
      over.strokeText(label.words, label.x, label.y);
      over.fillStyle = colour(label.tone);
      over.fillText(label.words, label.x, label.y);
    }
    const marked = [[hovered, "ink"], [focused, "focus"], [fixed, "focus"]];
    for (const [item, tone] of marked) if (item) ring(item, through, colour(tone));
    settle(through);
  }
  function ring(item, through, tone) {
    over.strokeStyle = tone;
    over.lineWidth = 2.2;
    over.beginPath();
    if (item.kind === "edge") {
      trace(over, curve(item.index, through, 0));
      over.lineWidth = 9;
      over.globalAlpha = 0.4;
    } else if (item.kind === "twig") {
      over.moveTo(...endPlace(twigs[item.index].a, through));
      over.lineTo(...endPlace(twigs[item.index].b, through));
      over.lineWidth = 6;
      over.globalAlpha = 0.4;
    } else {
      const [px, py] = place(item, through);
      over.arc(px, py, (item.kind === "site" ? symbolRadius(item.index, through) : 4) + 4, 0, 2 * Math.PI);
    }
    over.stroke();
    over.globalAlpha = 1;
  }
  function place(item, through = lens()) {
    if (item.kind === "site") return sitePlace(item.index, through);
    if (item.kind === "node") return nodePlace(item.index, through);
    if (item.kind === "edge") return onCurve(curve(item.index, through, 0), 0.5);
    const [a, b] = [twigs[item.index].a, twigs[item.index].b].map((end) => endPlace(end, through));
    return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  }
  // The bubble stays beside its item, inside the panel.
  function settle(through) {
    const item = hovered ?? focused ?? fixed;
    if (!item || paper) { bubble.hidden = true; return; }
    bubble.replaceChildren(options.tip(item));
    bubble.hidden = false;
    const [px, py] = place(item, through);
    const { offsetWidth: wide, offsetHeight: high } = bubble;
    const left = px + 16 + wide > size.width ? px - 16 - wide : px + 16;
    bubble.style.transform = `translate(${Math.round(Math.max(4, Math.min(size.width - wide - 4, left)))}px, ${Math.round(Math.max(4, Math.min(size.height - high - 4, py - high / 2)))}px)`;
  }

  function hit(px, py, reach = 6) {
    if (!base || !values) return null;
    const through = lens();
    const nearest = (count, kind, shown, distance, within) => {
      let best = null;
      let least = within;
      for (let index = 0; index < count; index += 1) {
        if (!shown(index)) continue;
        const gap = distance(index);
        if (gap <= least) { least = gap; best = { kind, index }; }
      }
      return best;
    };
    const open = sites.map((_, site) => opened(site, through));
    const gapTo = ([x, y]) => Math.hypot(px - x, py - y);
    return nearest(sites.length, "site", () => true, (site) => gapTo(sitePlace(site, through)) - symbolRadius(site, through), reach)
      ?? nearest(nodes.length, "node", (node) => open[nodes[node].site], (node) => gapTo(nodePlace(node, through)) - 4, reach - 1)
      ?? nearest(edges.length, "edge", (edge) => !values.hidden?.[edge], (edge) => {
        const points = curve(edge, through, 0);
        let least = Infinity;
        let last = onCurve(points, 0);
        for (let part = 1; part <= 8; part += 1) {
          const next = onCurve(points, part / 8);
          least = Math.min(least, toSegment(px, py, last, next));
          last = next;
        }
        return least;
      }, reach)
      ?? nearest(twigs.length, "twig", (twig) => open[siteOf(twigs[twig].a)] || open[siteOf(twigs[twig].b)],
        (twig) => toSegment(px, py, endPlace(twigs[twig].a, through), endPlace(twigs[twig].b, through)), 4);
  }
  function toSegment(px, py, [ax, ay], [bx, by]) {
    const dx = bx - ax;
    const dy = by - ay;
    const share = Math.max(0, Math.min(1, ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy || 1)));
    return Math.hypot(px - ax - share * dx, py - ay - share * dy);
  }
  function same(one, other) { return one?.kind === other?.kind && one?.index === other?.index; }
  function hover(item) {
    if (same(item, hovered)) return;
    hovered = item;
    host.style.cursor = item ? "pointer" : "";
    ask("over");
  }
  function pin(item) {
    fixed = item && same(item, fixed) ? null : item;
    focused = null;
    if (fixed && base) {
      const [px, py] = place(fixed);
      if (!inView([px, py], -20)) fly({ ...view, x: view.x + size.width / 2 - px, y: view.y + size.height / 2 - py });
    }
    if (fixed) live.textContent = options.say(fixed);
    ask("over");
    options.onPin?.(fixed);
  }
  function step(by) {
    const zoomed = view.scale > BOTH_WAYS;
    const through = lens();
    const kinds = zoomed ? ["site", "edge", "node"] : ["site", "edge"];
    const all = kinds.flatMap((kind) => (options.rank?.(kind) ?? plainRank(kind)).map((index) => ({ kind, index })))
      .filter((item) => !(item.kind === "edge" && values.hidden?.[item.index]) && inView(place(item, through), 0)
        && (item.kind !== "node" || opened(nodes[item.index].site, through)));
    if (!all.length) return;
    const at = all.findIndex((item) => same(item, focused));
    focused = all[(at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by + all.length) % all.length];
    hovered = null;
    live.textContent = options.say(focused);
    ask("over");
  }
  function plainRank(kind) { return { site: sites, edge: edges, node: nodes }[kind].map((_, index) => index); }

  const fingers = new Map();
  let dragged = false;
  const at = (event) => {
    const box = host.getBoundingClientRect();
    return [event.clientX - box.left - host.clientLeft, event.clientY - box.top - host.clientTop];
  };
  host.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 1) dragged = false;
    host.setPointerCapture(event.pointerId);
  });
  host.addEventListener("pointermove", (event) => {
    const [px, py] = at(event);
    if (!fingers.has(event.pointerId)) { if (event.pointerType !== "touch") hover(hit(px, py)); return; }
    const before = [...fingers.values()];
    const last = fingers.get(event.pointerId);
    const slack = event.pointerType === "touch" ? 8 : 3;
    if (!dragged && fingers.size === 1 && Math.hypot(px - last[0], py - last[1]) < slack) return;
    fingers.set(event.pointerId, [px, py]);
    dragged = true;
    host.classList.add("dragging");
    if (fingers.size === 1) { pan(px - last[0], py - last[1]); return; }
    const after = [...fingers.values()];
    const span = ([one, other]) => Math.max(10, Math.hypot(one[0] - other[0], one[1] - other[1]));
    const centre = ([one, other]) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
    const [from, to] = [centre(before), centre(after)];
    view.x += to[0] - from[0];
    view.y += to[1] - from[1];
    zoomAt(span(after) / span(before), ...to);
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (fingers.size) return;
    host.classList.remove("dragging");
    if (event.type === "pointerup" && !dragged) {
      const item = hit(...at(event), event.pointerType === "touch" ? 14 : 6);
      hovered = null;
      pin(item);
    }
  };
  host.addEventListener("pointerup", lift);
  host.addEventListener("pointercancel", lift);
  host.addEventListener("pointerleave", () => hover(null));
  host.addEventListener("dblclick", (event) => zoom(2, ...at(event)));
  host.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== host) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    zoomAt(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * (event.ctrlKey ? 0.005 : 0.002)), ...at(event));
  }, { passive: false });
  const far = 60;
  const keys = {
    ArrowLeft: () => pan(far, 0), ArrowRight: () => pan(-far, 0), ArrowUp: () => pan(0, far), ArrowDown: () => pan(0, -far),
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: home,
    n: () => step(1), p: () => step(-1), Enter: () => { if (focused) pin(focused); }, Escape: () => { focused = null; hovered = null; pin(null); },
  };
  host.addEventListener("keydown", (event) => {
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  host.addEventListener("blur", () => { if (focused) { focused = null; ask("over"); } });

  function resize(wanted) {
    paper = wanted ?? null;
    const width = paper?.width ?? host.clientWidth;
    const height = paper?.height ?? host.clientHeight;
    if (!width || !height) return;
    // Paper is finer than any screen.
    const ratio = paper ? 2 : Math.min(3, devicePixelRatio || 1);
    if (size.width) { view.x *= width / size.width; view.y *= height / size.height; }
    Object.assign(size, { width, height, ratio });
    for (const canvas of layers) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    if (sites.length) fit();
    redraw();
  }
  function redraw() {
    colours = new Map();
    host.setAttribute("aria-label", options.label());
    bound();
    placed = null;
    dirty = { under: true, over: true };
    if (base && values) paint();
  }
  function show(next) {
    const first = !values;
    values = next;
    if (first) { redraw(); return; }
    ask("under", ...(hovered || focused || fixed ? ["over"] : []));
  }
  // Paper is narrower than the screen and always light.
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    resize(options.paper ?? { width: Math.min(680, size.width), height: size.height });
  });
  addEventListener("afterprint", () => { document.documentElement.classList.remove("printing"); resize(); });
  new ResizeObserver(() => { if (!paper && (host.clientWidth !== size.width || host.clientHeight !== size.height)) resize(); }).observe(host);
  resize();
  return { show, redraw, resize, zoom, home, pan, pin, step, hit, place, view: () => ({ ...view }), pinned: () => fixed, canvas: layers[0] };
}
