// Paints what changes seldom, land, field, flows and agents, on a sheet larger than the window. Where many agents are in sight they are
// gathered in bubbles, and their flows in bundles.

import { HIGH, placeNames } from "./names.js";
import { OFFERS, QUIET, SHORT, VITAL } from "./scene.js";

export const CLOSEST = 4_000_000; // pixels a unit
export const MARGIN = 1.5; // a sheet is so many times as wide and high as the window that it is seen through

const SOLO = 420; // agents in sight that are drawn one by one
const NAMED = 100; // agents in sight whose names are written
const LONGEST_NAME = 28; // letters
const CELL = 46; // of bubbles, in pixels
const BUNDLES = 300; // of flows, the largest
const CROWDED = 0.4; // of its strength, what lies behind bubbles
const FIELD_CELL = 26; // of the field of pressure
const HAZE = 4; // the field is drawn so many times smaller: it is soft anyway
const APART = 9; // pixels between agents of one place
const OUTLINE = 1.4; // pixels, of a mark; half of it lies outside
const RING = 3; // pixels from a mark to the middle of the ring around it, where what is vital is short
const GOLDEN = 2.399963; // the angle between one and the next

export class Sheet {
  land = null; // coasts and borders as paths, once they are there
  #sheet = new OffscreenCanvas(1, 1);
  #ground = new OffscreenCanvas(1, 1); // land and borders, as long as one looks at the same place
  #haze = new OffscreenCanvas(1, 1);
  #grounded = "";
  #glow = null;

  // Returns a picture of a scene as one looks at it, and the marks on it: where which agents are, by name, for others may have joined
  // by the time that somebody points at one.
  // `look` is the view in the middle of the sheet, its size in pixels, device pixels a pixel, colours and font.
  paint(scene, look) {
    if (this.colours?.short !== look.colours.short) this.#glow = glow(look.colours.short);
    Object.assign(this, look, { scene });
    const { view: { x, y, scale }, ratio, size: [width, height] } = look;
    for (const each of [this.#sheet, this.#ground]) {
      if (each.width === Math.round(width * ratio) && each.height === Math.round(height * ratio)) continue;
      [each.width, each.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      this.#grounded = "";
    }
    const box = { west: x - width / 2 / scale, east: x + width / 2 / scale, north: y - height / 2 / scale, south: y + height / 2 / scale };
    this.#drawGround(box);
    const pen = this.#sheet.getContext("2d", { alpha: false });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.#ground, 0, 0);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const inside = this.#inside(box);
    const crowded = inside.length > SOLO && scale < CLOSEST; // from the nearest all are told apart, however many
    this.#drawField(pen, crowded ? CROWDED : 1);
    const marks = crowded ? this.#drawBubbles(pen, inside) : this.#drawAgents(pen, inside);
    return { picture: this.#sheet.transferToImageBitmap(), marks, view: look.view };
  }

  #toX(x) {
    return (x - this.view.x) * this.view.scale + this.size[0] / 2;
  }

  #toY(y) {
    return (y - this.view.y) * this.view.scale + this.size[1] / 2;
  }

  // Land and borders, or a grid where nobody is anywhere; drawn anew only where one looks at another place.
  #drawGround(box) {
    const { scene, land, view, colours } = this;
    const key = JSON.stringify([view, scene.drawn, land !== null, colours.land, colours.line]);
    if (this.#grounded === key) return;
    const pen = this.#ground.getContext("2d", { alpha: false });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = colours.sea;
    pen.fillRect(0, 0, this.#ground.width, this.#ground.height);
    if (scene.drawn) this.#drawGrid(pen, box);
    else if (land) this.#drawLand(pen, box);
    this.#grounded = key;
  }

  #inside({ west, east, north, south }) {
    const { x, y } = this.scene;
    const found = [];
    for (let agent = 0; agent < x.length; agent += 1) if (x[agent] >= west && x[agent] <= east && y[agent] >= north && y[agent] <= south) found.push(agent);
    return found;
  }

  #drawLand(pen, box) {
    const { land, ratio, view: { x, y, scale }, size: [width, height] } = this;
    const seen = (each) => each.west < box.east && each.east > box.west && each.north < box.south && each.south > box.north;
    pen.setTransform(scale * ratio, 0, 0, scale * ratio, (width / 2 - x * scale) * ratio, (height / 2 - y * scale) * ratio);
    pen.lineJoin = "round";
    pen.fillStyle = this.colours.land;
    pen.strokeStyle = this.colours.coast;
    pen.lineWidth = 1 / scale;
    for (const each of land.coasts) {
      if (!seen(each)) continue;
      pen.fill(each.path);
      pen.stroke(each.path);
    }
    pen.strokeStyle = this.colours.border;
    pen.lineWidth = 1.2 / scale;
    for (const each of land.borders) if (seen(each)) pen.stroke(each.path);
  }

  #drawGrid(pen, box) {
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.strokeStyle = this.colours.line;
    pen.lineWidth = 1;
    const step = 10 ** Math.floor(Math.log10(box.east - box.west)) / 2;
    pen.beginPath();
    for (let at = Math.ceil(box.west / step) * step; at < box.east; at += step) {
      pen.moveTo(this.#toX(at), this.#toY(box.north));
      pen.lineTo(this.#toX(at), this.#toY(box.south));
    }
    for (let at = Math.ceil(box.north / step) * step; at < box.south; at += step) {
      pen.moveTo(this.#toX(box.west), this.#toY(at));
      pen.lineTo(this.#toX(box.east), this.#toY(at));
    }
    pen.stroke();
  }

  // Pressure as a field: where needs are short it glows, and it fades as what was said runs out.
  #drawField(pen, faint) {
    const cells = new Map();
    const { scene, size: [width, height] } = this;
    for (let agent = 0; agent < scene.x.length; agent += 1) {
      if (!(scene.heat[agent] > 0)) continue;
      const [px, py] = [this.#toX(scene.x[agent]), this.#toY(scene.y[agent])];
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
    [this.#haze.width, this.#haze.height] = [Math.round(width / HAZE), Math.round(height / HAZE)]; // which clears it
    const haze = this.#haze.getContext("2d");
    haze.setTransform(1 / HAZE, 0, 0, 1 / HAZE, 0, 0);
    for (const { heat, x, y, count } of cells.values()) {
      const strength = 1 - Math.exp(-heat * 0.7);
      const radius = 30 + 26 * strength;
      haze.globalAlpha = (0.16 + 0.3 * strength) * faint;
      haze.drawImage(this.#glow, x / count - radius, y / count - radius, radius * 2, radius * 2);
    }
    pen.drawImage(this.#haze, 0, 0, width, height);
  }

  #drawAgents(pen, inside) {
    const { colours, scene } = this;
    const { flows } = scene;
    const atX = (agent) => this.#toX(scene.x[agent]) + aside(scene.turn[agent], Math.cos);
    const atY = (agent) => this.#toY(scene.y[agent]) + aside(scene.turn[agent], Math.sin);
    for (let row = 0; row < flows.length; row += 3) {
      const [from, to, bound] = [flows[row], flows[row + 1], flows[row + 2]];
      this.#drawFlow(pen, atX(from), atY(from), atX(to), atY(to), bound, 1.5);
    }
    const marks = [];
    for (const agent of inside.sort((one, other) => scene.status[one] - scene.status[other])) {
      const status = scene.status[agent];
      const radius = status === QUIET ? 3 : status === VITAL ? 5.5 : 4.5;
      const [px, py] = [atX(agent), atY(agent)];
      pen.globalAlpha = status === QUIET ? 0.75 : 0.4 + 0.6 * scene.life[agent];
      pen.beginPath();
      pen.arc(px, py, radius, 0, 7);
      pen.fillStyle = status >= SHORT ? colours.short : status === OFFERS ? colours.accent : colours.muted;
      pen.fill();
      pen.globalAlpha = 1;
      pen.lineWidth = OUTLINE;
      pen.strokeStyle = colours.surface;
      pen.stroke();
      if (status === VITAL) {
        pen.beginPath();
        pen.arc(px, py, radius + RING, 0, 7);
        pen.strokeStyle = colours.short;
        pen.stroke();
      }
      marks.push({ name: scene.names[agent], x: scene.x[agent], y: scene.y[agent], dx: px - this.#toX(scene.x[agent]), dy: py - this.#toY(scene.y[agent]), radius: radius + (status === VITAL ? RING : 0) + OUTLINE / 2 });
    }
    if (inside.length <= NAMED) this.#drawNames(pen, [...marks].reverse(), [...inside].reverse());
    return marks;
  }

  // Writes the names of agents beside their marks; those that come first have the first choice of place.
  #drawNames(pen, marks, agents) {
    const { colours, scene, size: [width, height] } = this;
    pen.font = `500 11.5px ${this.font}`;
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const texts = agents.map((agent) => (scene.labels[agent] || scene.names[agent]).slice(0, LONGEST_NAME));
    const dots = marks.map(({ x, y, dx, dy, radius }) => [this.#toX(x) + dx, this.#toY(y) + dy, radius]);
    const [left, top] = [(width - width / MARGIN) / 2, (height - height / MARGIN) / 2];
    const places = placeNames(dots, texts.map((text) => pen.measureText(text).width), [left, top, width - left, height - top]);
    places.forEach((place, index) => {
      if (!place) return;
      const [text, x, y] = [texts[index], place[0], place[1] + HIGH / 2];
      pen.lineWidth = 3;
      pen.strokeStyle = colours.land;
      pen.strokeText(text, x, y);
      pen.fillStyle = colours.ink;
      pen.fillText(text, x, y);
    });
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

  #drawBubbles(pen, inside) {
    const { scene } = this;
    const across = Math.ceil(this.size[0] / CELL) + 1;
    const cells = new Map();
    const cellOf = new Map(); // an agent in sight -> the bubble it is in
    for (const agent of inside) {
      const key = Math.floor(this.#toX(scene.x[agent]) / CELL) + across * Math.floor(this.#toY(scene.y[agent]) / CELL);
      let cell = cells.get(key);
      if (!cell) cells.set(key, (cell = { number: cells.size, name: scene.names[agent], count: 0, short: 0, vital: 0, offers: 0, x: 0, y: 0, dx: 0, dy: 0 }));
      cell.count += 1;
      cell.short += scene.status[agent] >= SHORT ? 1 : 0;
      cell.vital += scene.status[agent] === VITAL ? 1 : 0;
      cell.offers += scene.status[agent] === OFFERS ? 1 : 0;
      cell.x += scene.x[agent];
      cell.y += scene.y[agent];
      cellOf.set(agent, cell);
    }
    const bubbles = [...cells.values()];
    for (const cell of bubbles) {
      cell.x /= cell.count;
      cell.y /= cell.count;
      cell.radius = Math.min(CELL * 0.46, 6 + 2.6 * Math.log2(cell.count + 1));
    }
    this.#drawBundles(pen, bubbles, cellOf);
    for (const cell of bubbles) this.#drawBubble(pen, cell, this.#toX(cell.x), this.#toY(cell.y));
    return bubbles;
  }

  #drawBundles(pen, bubbles, cellOf) {
    const bundles = new Map();
    const { flows } = this.scene;
    for (let row = 0; row < flows.length; row += 3) {
      const [from, to] = [cellOf.get(flows[row]), cellOf.get(flows[row + 1])];
      if (!from || !to || from === to) continue;
      const key = (from.number * bubbles.length + to.number) * 2 + flows[row + 2];
      bundles.set(key, (bundles.get(key) ?? 0) + 1);
    }
    const most = [...bundles].sort((one, other) => one[1] - other[1]).slice(-BUNDLES);
    for (const [key, count] of most) {
      const pair = key >> 1;
      const [start, end] = [bubbles[Math.floor(pair / bubbles.length)], bubbles[pair % bubbles.length]];
      this.#drawFlow(pen, this.#toX(start.x), this.#toY(start.y), this.#toX(end.x), this.#toY(end.y), key & 1, Math.min(5, 0.8 + 0.7 * Math.log2(count + 1)), CROWDED);
    }
  }

  #drawBubble(pen, cell, px, py) {
    const { colours } = this;
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
}

// Returns how far from their place one of several at it is drawn, in pixels: the next of a spiral that leaves each as much room.
function aside(turn, along) {
  return turn ? APART * Math.sqrt(turn) * along(turn * GOLDEN) : 0;
}

// A soft round spot of one colour, drawn once and stamped wherever it glows.
function glow(colour) {
  const spot = new OffscreenCanvas(96, 96);
  const pen = spot.getContext("2d");
  const gradient = pen.createRadialGradient(48, 48, 0, 48, 48, 48);
  gradient.addColorStop(0, colour);
  gradient.addColorStop(0.4, `${colour}70`); // colours are written #rrggbb
  gradient.addColorStop(1, `${colour}00`);
  pen.fillStyle = gradient;
  pen.fillRect(0, 0, 96, 96);
  return spot;
}
