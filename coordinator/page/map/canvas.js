// A map one can move. What changes seldom is painted beside the page on a sheet larger than the window (painter.js); moving the map moves
// the sheet, which the browser does without drawing anything. What is new each moment (who speaks just now) is drawn on a clear canvas
// above it, and only while somebody does. So the cost of a frame does not grow with the number of agents.

import { kilometresAt } from "./projection.js";
import { boxOf } from "./scene.js";
import { CLOSEST, MARGIN } from "./sheet.js";

export const SETTLED_MS = 140; // without movement before a new sheet is drawn
const PULSE_MS = 1_400;
const PULSES = 160; // at once, the latest
const AGES = 28; // of a ring that are drawn beforehand; in between nothing changes
const RING = 46; // pixels, as wide as a ring grows
const NEAR = 14; // pixels from an agent that still mean it
const STEP = 90; // pixels that an arrow key moves
const LARGEST_RATIO = 2; // device pixels a pixel

export class Chart {
  // `paint` gives a promise of a picture; `pick`, `point` and `moved` are told what somebody does.
  constructor({ paint, pick, point, moved }) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "window";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.ink = this.canvas.getContext("2d");
    this.sheet = document.createElement("canvas");
    this.sheet.className = "sheet";
    this.paper = this.sheet.getContext("bitmaprenderer", { alpha: false });
    this.parts = [this.sheet, this.canvas]; // from below upwards
    this.sheetView = null; // where one looked when the sheet was painted
    this.painting = false;
    this.view = null; // x, y in the middle of the window; scale in pixels a unit
    this.scene = null;
    this.pulses = { x: new Float32Array(PULSES), y: new Float32Array(PULSES), step: new Int32Array(PULSES).fill(-AGES), next: 0, drawn: "" };
    this.marked = null; // the mark that the keys chose
    Object.assign(this, { paint, pick, point, moved });
    this.#listen();
    this.#readColours();
  }

  // What is painted has changed, as when the land came.
  renew() {
    this.stale = true;
    this.#ask();
  }

  setScene(scene) {
    const other = this.scene === null || this.scene.drawn !== scene.drawn;
    this.scene = scene;
    if (other && this.size) this.fit();
    this.renew();
  }

  // Shows everybody.
  fit() {
    const { west, east, north, south } = boxOf(this.scene);
    const [width, height] = this.size;
    const scale = Math.min((width * 0.88) / Math.max(east - west, 1e-4), (height * 0.88) / Math.max(south - north, 1e-4));
    this.#look((west + east) / 2, (north + south) / 2, scale);
  }

  look({ x, y, scale }) {
    if (this.size && this.scene) this.#look(x, y, scale);
    else this.wish = { x, y, scale };
  }

  zoom(factor, px = this.size[0] / 2, py = this.size[1] / 2) {
    const { x, y, scale } = this.view;
    const next = Math.max(120, Math.min(CLOSEST, scale * factor));
    const [dx, dy] = [px - this.size[0] / 2, py - this.size[1] / 2];
    this.#look(x + dx / scale - dx / next, y + dy / scale - dy / next, next);
  }

  // Somebody spoke: a ring spreads from where they are.
  pulse(name) {
    const agent = this.scene?.index.get(name);
    if (agent === undefined || this.still || Number.isNaN(this.scene.x[agent])) return;
    const { pulses } = this;
    [pulses.x[pulses.next], pulses.y[pulses.next]] = [this.scene.x[agent], this.scene.y[agent]];
    pulses.step[pulses.next] = Math.floor((performance.now() * AGES) / PULSE_MS);
    pulses.next = (pulses.next + 1) % PULSES;
    this.#ask();
  }

  // -- looking --------------------------------------------------------------------------------------------------------------

  #look(x, y, scale) {
    this.view = { x, y, scale };
    this.#forget(); // whatever was pointed at lies elsewhere now
    this.#settle();
    this.#ask();
  }

  // Draws a new sheet once nothing moves any more. On a machine that is late a wheel's next turn may wait while that time passes: it is
  // taken in before the second frame, and nothing is painted in the middle of a movement, which would make the machine later still.
  #settle() {
    clearTimeout(this.settling);
    const { view } = this;
    this.moving = true;
    const rested = () => {
      if (this.view !== view) return;
      this.moving = false;
      this.renew();
      this.moved?.(view);
    };
    this.settling = setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(rested)), SETTLED_MS);
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
    const again = () => (this.#readColours(), this.renew());
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
    this.rings = rings(this.colours.accent, this.ratio);
    if (this.wish) this.#look(this.wish.x, this.wish.y, this.wish.scale);
    else if (this.view === null && this.scene) this.fit();
    this.wish = null;
    this.renew();
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
    if (held) this.#ask(); // what waited for the hand to let go is painted now
    if (!held || event.type !== "pointerup" || !this.pressed) return;
    const [x, y] = this.pressed;
    if (Math.hypot(event.offsetX - x, event.offsetY - y) > 5) return;
    const found = this.#under(x, y);
    if (found) this.#open(found, x, y);
  }

  #key(event) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    const steps = { n: 1, p: -1 };
    if (!this.view || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) {
      const [dx, dy] = moves[event.key];
      this.#look(this.view.x + dx / this.view.scale, this.view.y + dy / this.view.scale, this.view.scale);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else if (event.key.toLowerCase() in steps) this.#mark(steps[event.key.toLowerCase()]);
    else if (event.key === "Enter" && this.marked) this.#open(this.marked, ...this.#windowOf(this.marked));
    else if (event.key === "Escape" && this.marked) this.#forget();
    else return;
    event.preventDefault();
  }

  // Returns what lies under a point of the window: an agent, or a bubble of several.
  #under(px, py) {
    let best = null;
    let least = NEAR;
    for (const each of this.marks ?? []) {
      const [x, y] = this.#windowOf(each);
      const away = Math.hypot(x - px, y - py) - each.radius + 4;
      if (away < least) [best, least] = [each, away];
    }
    return best;
  }

  // Returns where a mark is in the window.
  #windowOf({ x, y, dx, dy }) {
    const { view, size: [width, height] } = this;
    return [(x - view.x) * view.scale + width / 2 + dx, (y - view.y) * view.scale + height / 2 + dy];
  }

  // Marks the next of those in sight, from left to right, as if one pointed at it; a bubble is marked as a whole.
  #mark(step) {
    const [width, height] = this.size;
    const seen = (this.marks ?? []).map((each) => [each, ...this.#windowOf(each)]).filter(([, x, y]) => x >= 0 && y >= 0 && x <= width && y <= height);
    if (!seen.length) return;
    seen.sort(([, x, y], [, u, v]) => x - u || y - v);
    const at = seen.findIndex(([each]) => each.name === this.marked?.name);
    const [mark, x, y] = seen[at < 0 ? (step > 0 ? 0 : seen.length - 1) : (at + step + seen.length) % seen.length];
    this.marked = mark;
    this.point?.(mark, x, y);
  }

  #forget() {
    this.marked = null;
    this.point?.(null);
  }

  // Opens an agent, or goes nearer to several until they lie apart.
  #open(mark, x, y) {
    if (mark.count > 1) this.zoom(2.5, x, y);
    else this.pick?.(mark.name);
  }

  #readColours() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = Object.fromEntries(["sea", "land", "coast", "border", "ink", "muted", "accent", "short", "short-fill", "surface", "strong-line", "line"].map((name) => [name, read(name)]));
    this.font = read("font");
    if (this.ratio) this.rings = rings(this.colours.accent, this.ratio);
  }

  // -- drawing --------------------------------------------------------------------------------------------------------------

  #frame() {
    if (!this.view || !this.scene || !this.size) return;
    if (this.stale && !this.painting && (!this.sheetView || !(this.moving || this.pointers.size))) this.#paintAnew();
    this.#placeSheet();
    if (this.#drawPulses()) this.#ask();
  }

  async #paintAnew() {
    [this.stale, this.painting] = [false, true];
    const { colours, font, ratio, size: [width, height], view } = this;
    const size = [Math.round(width * MARGIN), Math.round(height * MARGIN)];
    const painted = await this.paint({ view: { ...view }, size, ratio, colours, font }).catch(() => null);
    this.painting = false;
    if (!painted) return; // the sheet that is there stays until the map is read again
    [this.sheet.width, this.sheet.height] = [painted.picture.width, painted.picture.height];
    this.paper.transferFromImageBitmap(painted.picture);
    [this.sheet.style.width, this.sheet.style.height] = size.map((each) => `${each}px`);
    [this.sheetView, this.sheetSize, this.marks] = [painted.view, size, painted.marks];
    this.#placeSheet();
    if (this.stale) this.#ask();
  }

  #placeSheet() {
    const { ratio, view, sheetView, sheetSize, size: [width, height] } = this;
    if (!sheetView) return;
    const grown = view.scale / sheetView.scale;
    const left = (sheetView.x - view.x) * view.scale + width / 2 - (sheetSize[0] * grown) / 2;
    const top = (sheetView.y - view.y) * view.scale + height / 2 - (sheetSize[1] * grown) / 2;
    const whole = (each) => (grown === 1 ? Math.round(each * ratio) / ratio : each); // a sheet that lies between pixels would be blurred
    const where = `translate(${whole(left)}px, ${whole(top)}px) scale(${grown})`;
    if (this.sheet.style.transform !== where) this.sheet.style.transform = where;
  }

  // Draws a ring for each who spoke just now, where any is older or elsewhere than in the frame before; returns whether there is any.
  #drawPulses() {
    const { ink, pulses, ratio, view, size: [width, height] } = this;
    const step = Math.floor((performance.now() * AGES) / PULSE_MS);
    const drawn = `${step} ${view.x} ${view.y} ${view.scale}`;
    if (pulses.drawn === drawn) return true;
    if (pulses.drawn) {
      ink.setTransform(1, 0, 0, 1, 0, 0);
      ink.clearRect(0, 0, this.canvas.width, this.canvas.height);
    }
    pulses.drawn = "";
    const cell = this.rings.height;
    for (let each = 0; each < PULSES; each += 1) {
      const age = step - pulses.step[each];
      if (age >= AGES) continue;
      pulses.drawn = drawn;
      const px = (pulses.x[each] - view.x) * view.scale + width / 2;
      const py = (pulses.y[each] - view.y) * view.scale + height / 2;
      if (!(px > -RING && py > -RING && px < width + RING && py < height + RING)) continue;
      ink.drawImage(this.rings, age * cell, 0, cell, cell, Math.round(px * ratio - cell / 2), Math.round(py * ratio - cell / 2), cell, cell);
    }
    return pulses.drawn !== "";
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

// The ring of somebody who spoke, at every age side by side: stamping it takes less than drawing it.
function rings(colour, ratio) {
  const row = document.createElement("canvas");
  const cell = Math.ceil(RING * ratio);
  [row.width, row.height] = [cell * AGES, cell];
  const pen = row.getContext("2d");
  pen.lineWidth = 1.6 * ratio;
  pen.strokeStyle = colour;
  for (let age = 0; age < AGES; age += 1) {
    pen.globalAlpha = 0.8 * (1 - age / AGES);
    pen.beginPath();
    pen.arc(cell * (age + 0.5), cell / 2, (4 + (16 * age) / AGES) * ratio, 0, 7);
    pen.stroke();
  }
  return row;
}
