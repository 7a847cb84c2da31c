// A map one can move. What changes seldom (land, field, flows, agents) is drawn once on a sheet larger than the window; moving the map
// moves the sheet, and what is new each moment (who speaks just now) is drawn above it. A new sheet is drawn behind the one that is
// shown, a slice each frame, and takes its place when it is done. So the cost of a frame does not grow with the number of agents. Where many are in sight they are gathered in bubbles, and their flows in bundles.

import { kilometresAt, worldPaths } from "./projection.js";
import { OFFERS, QUIET, SHORT, VITAL, boxOf } from "./scene.js";

const MARGIN = 1.5; // the sheet is so many times as wide and high as the window
const SETTLED_MS = 140; // without movement before a new sheet is drawn
const SOLO = 420; // agents in sight that are drawn one by one
const NAMED = 46; // agents in sight whose names are written
const CELL = 46; // of bubbles, in pixels
const BUNDLES = 300; // of flows, the largest
const CROWDED = 0.4; // of its strength, what lies behind bubbles
const FIELD_CELL = 26; // of the field of pressure
const HAZE = 4; // the field is drawn so many times smaller: it is soft anyway
const SLICE_MS = 5; // of each frame, for a new sheet behind the one shown
const AT_ONCE = 120; // bubbles between two looks at the clock
const PULSE_MS = 1_400;
const PULSES = 160;
const NEAR = 14; // pixels from an agent that still mean it
const STEP = 90; // pixels that an arrow key moves
const LARGEST_RATIO = 2; // device pixels a pixel

export class Chart {
  constructor({ pick, point, moved }) {
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.ink = this.canvas.getContext("2d", { alpha: false });
    this.sheet = document.createElement("canvas");
    this.back = document.createElement("canvas"); // the sheet that is being drawn
    this.haze = document.createElement("canvas");
    this.ground = { sheet: document.createElement("canvas"), key: "" }; // land and borders, as long as one looks at the same place
    this.drawing = null;
    this.view = null; // x, y in the middle of the window; scale in pixels a unit
    this.scene = null;
    this.world = null;
    this.pulses = [];
    this.frames = 0;
    Object.assign(this, { pick, point, moved });
    this.#listen();
    this.#readColours();
  }

  setWorld(world) {
    this.world = worldPaths(world);
    this.#renew();
  }

  setScene(scene) {
    const other = this.scene === null || this.scene.drawn !== scene.drawn;
    this.scene = scene;
    if (other && this.size) this.fit();
    this.#renew();
  }

  // Shows everybody.
  fit() {
    const { west, east, north, south } = boxOf(this.scene);
    const [width, height] = this.size;
    const scale = Math.min((width * 0.88) / Math.max(east - west, 1e-4), (height * 0.88) / Math.max(south - north, 1e-4));
    this.#look((west + east) / 2, (north + south) / 2, scale);
  }

  look({ x, y, scale }) {
    if (this.size) this.#look(x, y, scale);
    else this.wish = { x, y, scale };
  }

  zoom(factor, px = this.size[0] / 2, py = this.size[1] / 2) {
    const { x, y, scale } = this.view;
    const next = Math.max(120, Math.min(4_000_000, scale * factor));
    const [dx, dy] = [px - this.size[0] / 2, py - this.size[1] / 2];
    this.#look(x + dx / scale - dx / next, y + dy / scale - dy / next, next);
  }

  // Somebody spoke: a ring spreads from where they are.
  pulse(name) {
    const agent = this.scene?.index.get(name);
    if (agent === undefined || this.still || Number.isNaN(this.scene.x[agent])) return;
    this.pulses.push({ agent, began: performance.now() });
    if (this.pulses.length > PULSES) this.pulses.splice(0, this.pulses.length - PULSES);
    this.#ask();
  }

  // -- looking --------------------------------------------------------------------------------------------------------------

  #look(x, y, scale) {
    this.view = { x, y, scale };
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.#renew();
      this.moved?.(this.view);
    }, SETTLED_MS);
    this.#ask();
  }

  #renew() {
    this.stale = true;
    this.#ask();
  }

  #ask() {
    if (this.asked || !this.canvas.isConnected) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      this.#frame();
    });
  }

  #listen() {
    const { canvas } = this;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#drag(event));
    for (const kind of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(kind, (event) => this.#release(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, event.offsetX, event.offsetY));
    const again = () => (this.#readColours(), this.#renew());
    document.addEventListener("theme", again);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    const motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.still = motion.matches;
    motion.addEventListener("change", () => (this.still = motion.matches));
    this.pointers = new Map();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.ratio = Math.min(LARGEST_RATIO, devicePixelRatio || 1);
    this.size = [width, height];
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    for (const sheet of [this.sheet, this.back, this.ground.sheet]) {
      sheet.width = Math.round(width * MARGIN * this.ratio);
      sheet.height = Math.round(height * MARGIN * this.ratio);
    }
    this.haze.width = Math.round((width * MARGIN) / HAZE);
    this.haze.height = Math.round((height * MARGIN) / HAZE);
    this.ground.key = "";
    this.drawing = null;
    this.sheetView = null;
    if (this.wish) this.#look(this.wish.x, this.wish.y, this.wish.scale);
    else if (this.view === null && this.scene) this.fit();
    this.wish = null;
    this.#renew();
  }

  #wheel(event) {
    if (!this.view) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0016)), event.offsetX, event.offsetY);
  }

  #press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.pressed = [event.offsetX, event.offsetY];
  }

  #drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!this.view || !this.scene) return;
    if (!before) {
      this.point?.(this.#under(event.offsetX, event.offsetY), event.offsetX, event.offsetY);
      return;
    }
    const now = [event.offsetX, event.offsetY];
    if (this.pointers.size === 2) this.#pinch(event.pointerId, before, now);
    else this.#look(this.view.x - (now[0] - before[0]) / this.view.scale, this.view.y - (now[1] - before[1]) / this.view.scale, this.view.scale);
    this.pointers.set(event.pointerId, now);
  }

  #pinch(id, before, now) {
    const [other] = [...this.pointers].filter(([each]) => each !== id).map(([, at]) => at);
    const apart = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]) || 1;
    this.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  #release(event) {
    const held = this.pointers.delete(event.pointerId);
    if (event.type === "pointerleave") this.point?.(null);
    if (!held || event.type !== "pointerup" || !this.pressed) return;
    const [x, y] = this.pressed;
    if (Math.hypot(event.offsetX - x, event.offsetY - y) > 5) return;
    const found = this.#under(x, y);
    if (found?.agents) this.zoom(2.5, x, y);
    else if (found) this.pick?.(found.agent);
  }

  #key(event) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (!this.view || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) {
      const [dx, dy] = moves[event.key];
      this.#look(this.view.x + dx / this.view.scale, this.view.y + dy / this.view.scale, this.view.scale);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  // Returns what lies under a point of the window: an agent, or a bubble of several.
  #under(px, py) {
    const [width, height] = this.size;
    let best = null;
    let least = NEAR;
    for (const each of this.marks ?? []) {
      const away = Math.hypot((each.x - this.view.x) * this.view.scale + width / 2 - px, (each.y - this.view.y) * this.view.scale + height / 2 - py) - each.radius + 4;
      if (away < least) [best, least] = [each, away];
    }
    return best;
  }

  #readColours() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = Object.fromEntries(["sea", "land", "coast", "border", "ink", "muted", "accent", "short", "short-fill", "surface", "strong-line", "line"].map((name) => [name, read(name)]));
    this.font = read("font");
    this.glow = glow(this.colours.short);
  }

  // -- drawing --------------------------------------------------------------------------------------------------------------

  #frame() {
    if (!this.view || !this.scene || !this.size) return;
    this.#drawOn();
    const { ink, ratio, view, sheetView, size: [width, height] } = this;
    const grown = view.scale / sheetView.scale;
    ink.setTransform(1, 0, 0, 1, 0, 0);
    ink.fillStyle = this.colours.sea;
    ink.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const left = (sheetView.x - view.x) * view.scale + width / 2 - (width * MARGIN * grown) / 2;
    const top = (sheetView.y - view.y) * view.scale + height / 2 - (height * MARGIN * grown) / 2;
    const whole = grown === 1 ? Math.round : (each) => each; // a sheet that lies between pixels would be blurred
    ink.drawImage(this.sheet, whole(left * ratio), whole(top * ratio), this.sheet.width * grown, this.sheet.height * grown);
    this.frames += 1;
    if (this.#drawPulses()) this.#ask();
  }

  #drawPulses() {
    const now = performance.now();
    this.pulses = this.pulses.filter((pulse) => now - pulse.began < PULSE_MS);
    const { ink, ratio, view, scene, size: [width, height] } = this;
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.lineWidth = 1.6;
    ink.strokeStyle = this.colours.accent;
    for (const { agent, began } of this.pulses) {
      const age = (now - began) / PULSE_MS;
      const px = (scene.x[agent] - view.x) * view.scale + width / 2;
      const py = (scene.y[agent] - view.y) * view.scale + height / 2;
      if (px < -20 || py < -20 || px > width + 20 || py > height + 20) continue;
      ink.globalAlpha = 0.8 * (1 - age);
      ink.beginPath();
      ink.arc(px, py, 4 + 16 * age, 0, 7);
      ink.stroke();
    }
    ink.globalAlpha = 1;
    return this.pulses.length > 0;
  }

  // Goes on with the sheet behind: a slice, or the whole of it where there is none to show yet.
  #drawOn() {
    if (this.stale && !this.drawing && (!this.sheetView || !this.pointers.size)) {
      this.stale = false;
      this.drawing = { view: { ...this.view }, scene: this.scene };
      this.drawing.steps = this.#steps(this.drawing);
    }
    if (!this.drawing) return;
    const until = this.sheetView ? performance.now() + SLICE_MS : Infinity;
    let done;
    do ({ done } = this.drawing.steps.next());
    while (!done && performance.now() < until);
    if (done) {
      this.sheetView = this.drawing.view;
      this.marks = this.drawing.marks;
      [this.sheet, this.back] = [this.back, this.sheet];
      this.drawing = null;
    }
    if (!done || this.stale) this.#ask();
  }

  *#steps(drawing) {
    const { scene } = drawing;
    const { scale, x, y } = drawing.view;
    const [width, height] = this.size.map((each) => each * MARGIN);
    const pen = this.back.getContext("2d", { alpha: false });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    const box = { west: x - width / 2 / scale, east: x + width / 2 / scale, north: y - height / 2 / scale, south: y + height / 2 / scale };
    const toX = (each) => (each - x) * scale + width / 2;
    const toY = (each) => (each - y) * scale + height / 2;
    yield* this.#drawGround(drawing.view, box, width, height, toX, toY);
    pen.drawImage(this.ground.sheet, 0, 0);
    yield;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const inside = this.#inside(scene, box);
    yield;
    this.#drawField(pen, scene, toX, toY, inside.length > SOLO ? CROWDED : 1);
    yield;
    if (inside.length > SOLO) yield* this.#drawBubbles(pen, drawing, inside, toX, toY);
    else this.#drawAgents(pen, drawing, inside, toX, toY);
  }

  // Land and borders, or a grid where nobody is anywhere; drawn anew only where one looks at another place.
  *#drawGround(view, box, width, height, toX, toY) {
    const key = JSON.stringify([view, this.scene.drawn, this.world !== null, this.colours.land, this.colours.line]);
    if (this.ground.key === key) return;
    const pen = this.ground.sheet.getContext("2d", { alpha: false });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = this.colours.sea;
    pen.fillRect(0, 0, this.ground.sheet.width, this.ground.sheet.height);
    if (this.scene.drawn) this.#drawGrid(pen, box, toX, toY);
    else if (this.world) yield* this.#drawLand(pen, view, box, width, height);
    this.ground.key = key;
  }

  #inside(scene, { west, east, north, south }) {
    const { x, y } = scene;
    const found = [];
    for (let agent = 0; agent < x.length; agent += 1) if (x[agent] >= west && x[agent] <= east && y[agent] >= north && y[agent] <= south) found.push(agent);
    return found;
  }

  *#drawLand(pen, { scale, x, y }, box, width, height) {
    const seen = (each) => each.west < box.east && each.east > box.west && each.north < box.south && each.south > box.north;
    pen.setTransform(scale * this.ratio, 0, 0, scale * this.ratio, (width / 2 - x * scale) * this.ratio, (height / 2 - y * scale) * this.ratio);
    pen.lineJoin = "round";
    pen.fillStyle = this.colours.land;
    pen.strokeStyle = this.colours.coast;
    pen.lineWidth = 1 / scale;
    for (const each of this.world.coasts) {
      if (!seen(each)) continue;
      pen.fill(each.path);
      pen.stroke(each.path);
      yield;
    }
    pen.strokeStyle = this.colours.border;
    pen.lineWidth = 1.2 / scale;
    for (const each of this.world.borders) if (seen(each)) pen.stroke(each.path);
  }

  #drawGrid(pen, box, toX, toY) {
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.strokeStyle = this.colours.line;
    pen.lineWidth = 1;
    const step = 10 ** Math.floor(Math.log10(box.east - box.west)) / 2;
    pen.beginPath();
    for (let at = Math.ceil(box.west / step) * step; at < box.east; at += step) {
      pen.moveTo(toX(at), toY(box.north));
      pen.lineTo(toX(at), toY(box.south));
    }
    for (let at = Math.ceil(box.north / step) * step; at < box.south; at += step) {
      pen.moveTo(toX(box.west), toY(at));
      pen.lineTo(toX(box.east), toY(at));
    }
    pen.stroke();
  }

  // Pressure as a field: where needs are short it glows, and it fades as what was said runs out.
  #drawField(pen, scene, toX, toY, faint) {
    const cells = new Map();
    const [width, height] = this.size.map((each) => each * MARGIN);
    for (let agent = 0; agent < scene.x.length; agent += 1) {
      if (!(scene.heat[agent] > 0)) continue;
      const [px, py] = [toX(scene.x[agent]), toY(scene.y[agent])];
      if (!(px > -60 && py > -60 && px < width + 60 && py < height + 60)) continue;
      const key = Math.floor(px / FIELD_CELL) * 65_536 + Math.floor(py / FIELD_CELL);
      const cell = cells.get(key);
      if (cell) {
        cell.heat += scene.heat[agent];
        cell.x += px;
        cell.y += py;
        cell.count += 1;
      } else cells.set(key, { heat: scene.heat[agent], x: px, y: py, count: 1 });
    }
    const haze = this.haze.getContext("2d");
    haze.setTransform(1, 0, 0, 1, 0, 0);
    haze.clearRect(0, 0, this.haze.width, this.haze.height);
    haze.setTransform(1 / HAZE, 0, 0, 1 / HAZE, 0, 0);
    for (const { heat, x, y, count } of cells.values()) {
      const strength = 1 - Math.exp(-heat * 0.7);
      const radius = 30 + 26 * strength;
      haze.globalAlpha = (0.16 + 0.3 * strength) * faint;
      haze.drawImage(this.glow, x / count - radius, y / count - radius, radius * 2, radius * 2);
    }
    pen.drawImage(this.haze, 0, 0, width, height);
  }

  #drawAgents(pen, drawing, inside, toX, toY) {
    const { colours } = this;
    const { scene } = drawing;
    const { flows } = scene;
    for (let row = 0; row < flows.length; row += 3) {
      const [from, to, bound] = [flows[row], flows[row + 1], flows[row + 2]];
      this.#drawFlow(pen, toX(scene.x[from]), toY(scene.y[from]), toX(scene.x[to]), toY(scene.y[to]), bound, 1.5);
    }
    drawing.marks = [];
    for (const agent of inside.sort((one, other) => scene.status[one] - scene.status[other])) {
      const status = scene.status[agent];
      const radius = status === QUIET ? 3 : status === VITAL ? 5.5 : 4.5;
      const [px, py] = [toX(scene.x[agent]), toY(scene.y[agent])];
      pen.globalAlpha = status === QUIET ? 0.75 : 0.4 + 0.6 * scene.life[agent];
      pen.beginPath();
      pen.arc(px, py, radius, 0, 7);
      pen.fillStyle = status >= SHORT ? colours.short : status === OFFERS ? colours.accent : colours.muted;
      pen.fill();
      pen.globalAlpha = 1;
      pen.lineWidth = 1.4;
      pen.strokeStyle = colours.surface;
      pen.stroke();
      if (status === VITAL) {
        pen.beginPath();
        pen.arc(px, py, radius + 3, 0, 7);
        pen.strokeStyle = colours.short;
        pen.stroke();
      }
      drawing.marks.push({ agent, x: scene.x[agent], y: scene.y[agent], radius });
    }
    if (inside.length <= NAMED * MARGIN * MARGIN) this.#drawNames(pen, scene, inside, toX, toY);
  }

  #drawNames(pen, scene, inside, toX, toY) {
    const { colours } = this;
    pen.font = `500 11.5px ${this.font}`;
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const taken = [];
    for (const agent of [...inside].reverse()) {
      const text = (scene.labels[agent] || scene.names[agent]).slice(0, 28);
      const [left, middle, wide] = [toX(scene.x[agent]) + 9, toY(scene.y[agent]), pen.measureText(text).width];
      if (taken.some((box) => left < box[0] + box[2] && left + wide > box[0] && Math.abs(middle - box[1]) < 14)) continue;
      taken.push([left, middle, wide]);
      pen.lineWidth = 3;
      pen.strokeStyle = colours.land;
      pen.strokeText(text, left, middle);
      pen.fillStyle = colours.ink;
      pen.fillText(text, left, middle);
    }
  }

  #drawFlow(pen, x, y, u, v, bound, wide, faint = 1) {
    const [dx, dy] = [u - x, v - y];
    const far = Math.hypot(dx, dy);
    if (far < 2) return;
    const bend = Math.min(0.18, 14 / Math.sqrt(far));
    const [cx, cy] = [(x + u) / 2 + dy * bend, (y + v) / 2 - dx * bend];
    pen.globalAlpha = (bound ? 0.85 : 0.5) * faint;
    pen.strokeStyle = this.colours.accent;
    pen.lineWidth = wide;
    pen.setLineDash(bound ? [] : [5, 4]);
    pen.beginPath();
    pen.moveTo(x, y);
    pen.quadraticCurveTo(cx, cy, u, v);
    pen.stroke();
    pen.setLineDash([]);
    const turn = Math.atan2(v - cy, u - cx);
    const [tip, barb] = [6, 5 + wide];
    pen.fillStyle = this.colours.accent;
    pen.beginPath();
    pen.moveTo(u - Math.cos(turn) * tip, v - Math.sin(turn) * tip);
    for (const side of [0.42, -0.42]) pen.lineTo(u - Math.cos(turn + side) * (tip + barb), v - Math.sin(turn + side) * (tip + barb));
    pen.fill();
    pen.globalAlpha = 1;
  }

  *#drawBubbles(pen, drawing, inside, toX, toY) {
    const { scene } = drawing;
    const cells = new Map();
    const keyOf = (agent) => Math.floor(toX(scene.x[agent]) / CELL) * 65_536 + Math.floor(toY(scene.y[agent]) / CELL);
    for (const agent of inside) {
      const key = keyOf(agent);
      const cell = cells.get(key) ?? { count: 0, short: 0, vital: 0, offers: 0, x: 0, y: 0, agents: [] };
      cell.count += 1;
      cell.short += scene.status[agent] >= SHORT ? 1 : 0;
      cell.vital += scene.status[agent] === VITAL ? 1 : 0;
      cell.offers += scene.status[agent] === OFFERS ? 1 : 0;
      cell.x += scene.x[agent];
      cell.y += scene.y[agent];
      cell.agents.push(agent);
      cells.set(key, cell);
    }
    for (const cell of cells.values()) {
      cell.x /= cell.count;
      cell.y /= cell.count;
      cell.radius = Math.min(CELL * 0.46, 6 + 2.6 * Math.log2(cell.count + 1));
    }
    yield;
    this.#drawBundles(pen, scene, cells, keyOf, toX, toY);
    let drawn = 0;
    for (const cell of cells.values()) {
      if (drawn % AT_ONCE === 0) yield;
      this.#drawBubble(pen, cell, toX(cell.x), toY(cell.y), this.colours);
      drawn += 1;
    }
    drawing.marks = [...cells.values()].map((cell) => (cell.count === 1 ? { agent: cell.agents[0], x: cell.x, y: cell.y, radius: cell.radius } : cell));
  }

  #drawBundles(pen, scene, cells, keyOf, toX, toY) {
    const bundles = new Map();
    const { flows } = scene;
    for (let row = 0; row < flows.length; row += 3) {
      const [from, to] = [keyOf(flows[row]), keyOf(flows[row + 1])];
      if (from === to || !cells.has(from) || !cells.has(to)) continue;
      const key = `${from} ${to} ${flows[row + 2]}`;
      bundles.set(key, (bundles.get(key) ?? 0) + 1);
    }
    for (const [key, count] of [...bundles].sort((one, other) => one[1] - other[1]).slice(-BUNDLES)) {
      const [from, to, bound] = key.split(" ").map(Number);
      const [start, end] = [cells.get(from), cells.get(to)];
      this.#drawFlow(pen, toX(start.x), toY(start.y), toX(end.x), toY(end.y), bound, Math.min(5, 0.8 + 0.7 * Math.log2(count + 1)), CROWDED);
    }
  }

  #drawBubble(pen, cell, px, py, colours) {
    pen.beginPath();
    pen.arc(px, py, cell.radius, 0, 7);
    pen.fillStyle = colours.surface;
    pen.fill();
    pen.lineWidth = 3;
    const top = -Math.PI / 2;
    const ring = (from, to, colour) => {
      if (to - from < 1e-3) return;
      pen.beginPath();
      pen.arc(px, py, cell.radius - 1.5, top + from * 2 * Math.PI, top + to * 2 * Math.PI);
      pen.strokeStyle = colour;
      pen.stroke();
    };
    const short = cell.short / cell.count;
    const offers = cell.offers / cell.count;
    ring(0, short, colours.short);
    ring(short, short + offers, colours.accent);
    ring(short + offers, 1, colours["strong-line"]);
    if (cell.radius < 9 && cell.count < 2) return;
    pen.fillStyle = colours.ink;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = `600 ${cell.radius > 15 ? 12 : 10}px ${this.font}`;
    pen.fillText(cell.count > 999 ? `${Math.round(cell.count / 100) / 10}k` : cell.count, px, py + 0.5);
    pen.textAlign = "start";
  }

  // Returns a round length that is about so many pixels wide, in km, and how wide it is exactly.
  ruler(pixels = 110) {
    if (!this.view) return null;
    const km = kilometresAt(this.scene.drawn ? 0 : this.view.y) / this.view.scale;
    const power = 10 ** Math.floor(Math.log10(km * pixels));
    const length = [5, 2, 1].map((each) => each * power).find((each) => each <= km * pixels) ?? power;
    return { km: length, pixels: length / km };
  }
}

// A soft round spot of one colour, drawn once and stamped wherever it glows.
function glow(colour) {
  const spot = document.createElement("canvas");
  spot.width = spot.height = 96;
  const pen = spot.getContext("2d");
  const gradient = pen.createRadialGradient(48, 48, 0, 48, 48, 48);
  gradient.addColorStop(0, colour);
  gradient.addColorStop(0.4, `${colour}70`); // colours are written #rrggbb
  gradient.addColorStop(1, `${colour}00`);
  pen.fillStyle = gradient;
  pen.fillRect(0, 0, 96, 96);
  return spot;
}
