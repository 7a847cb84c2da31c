// Small pictures of something over time, as shapes that scale; each stands beside the same as a table.

import { h } from "./dom.js";
import { ends, inShort, moment, roundMoments, t } from "./words.js";

const NARROW = matchMedia("(max-width: 40rem)"); // there a picture is drawn as wide as it is shown, so that its letters stay as large
const wide = () => (NARROW.matches ? 340 : 640);
const HIGH = 190;
const EDGE = { left: 34, right: 8, top: 10, bottom: 22 };
const ticksIn = (width) => (width < 500 ? 4 : 7); // at most
const TICK = 56; // pixels that the text of one takes
const GAP = 0.6; // of the whole time: a stretch without any sample that is longer is drawn short
const SHORTENED = 0.05; // of the rest, as long as it is drawn

// Returns layers one above the other, the first at the bottom. `series` are rows of figures, as long as `times`.
export function stacked(times, series, classes, label) {
  const at = times.map((each) => Date.parse(each));
  const sums = at.map((_, index) => series.reduce((sum, row) => sum + row[index], 0));
  const most = niceAbove(Math.max(1, ...sums));
  const axis = axisOf(at);
  const width = wide();
  const x = (index) => EDGE.left + axis.shares[index] * (width - EDGE.left - EDGE.right);
  const y = (value) => EDGE.top + (HIGH - EDGE.top - EDGE.bottom) * (1 - value / most);
  const below = at.map(() => 0);
  const shapes = series.map((row, layer) => {
    const lower = below.slice();
    row.forEach((value, index) => (below[index] += value));
    if (row.every((value) => value === 0)) return null;
    return h("path", { class: `area ${classes[layer]}`, d: `${steps(at.map((_, index) => [x(index), y(below[index])]))}L${steps(at.map((_, index) => [x(index), y(lower[index])]).reverse(), true).slice(1)}Z` });
  });
  return h("svg", { class: "plot", viewBox: `0 0 ${width} ${HIGH}`, role: "img", "aria-label": label }, grid(most, y, width), shapes, breaks(axis, x), ticks(axis, at, width));
}

// Returns a line of shares from 0 to 1, without axes.
export function spark(times, shares, label) {
  const at = times.map((each) => Date.parse(each));
  const { shares: across } = axisOf(at);
  const x = (index) => across[index] * 120;
  const points = shares.map((share, index) => [x(index), 1.5 + 25 * (1 - share)]);
  return h("svg", { class: "spark", viewBox: "0 0 120 28", preserveAspectRatio: "none", role: "img", "aria-label": label }, h("path", { class: "spark-fill", d: `${steps(points)}L120 28L0 28Z` }), h("path", { class: "spark-line", d: steps(points) }));
}

// Returns the figures of such pictures as rows: the moments in reverse, at most so many.
export function asRows(times, cells, most = 40) {
  const every = Math.max(1, Math.ceil(times.length / most));
  const kept = [...times.keys()].filter((index) => (times.length - 1 - index) % every === 0).reverse();
  return kept.map((index) => [moment(times[index]), ...cells(index)]);
}

// Returns where each moment lies on an axis from 0 to 1, and before which of them time is drawn short, so that the axis spans what there is.
function axisOf(at) {
  const steps = at.map((ms, index) => (index ? ms - at[index - 1] : 0));
  const whole = at.at(-1) - at[0];
  const gaps = steps.flatMap((step, index) => (whole && step > GAP * whole ? [index] : []));
  const rest = whole - gaps.reduce((sum, index) => sum + steps[index], 0);
  for (const index of gaps) steps[index] = rest ? rest * SHORTENED : steps[index];
  const drawn = steps.reduce((sum, step) => sum + step, 0);
  let passed = 0;
  const shares = steps.map((step) => ((passed += step), drawn ? passed / drawn : 1));
  return { shares, gaps: rest ? gaps : [] };
}

// Returns from when until when time is drawn short in such a picture; empty where it is nowhere.
export function shortened(times) {
  return axisOf(times.map((each) => Date.parse(each))).gaps.map((index) => [times[index - 1], times[index]]);
}

// What was so stays so until the next sample: steps, not slopes.
function steps(points, back = false) {
  let path = `M${points[0].map(round).join(" ")}`;
  for (let index = 1; index < points.length; index += 1) {
    const [u, v] = points[index].map(round);
    path += back ? `V${v}H${u}` : `H${u}V${v}`;
  }
  return path;
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function grid(most, y, width) {
  return [0, most / 2, most].map((value) => [h("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }), h("text", { class: "small", x: EDGE.left - 6, y: y(value) + 4, "text-anchor": "end" }, inShort(value))]);
}

function breaks({ gaps }, x) {
  return gaps.map((index) => h("line", { class: "break", x1: (x(index - 1) + x(index)) / 2, x2: (x(index - 1) + x(index)) / 2, y1: EDGE.top, y2: HIGH - EDGE.bottom }));
}

// Round moments, where they stand apart, none of them within a time that is drawn short; where that leaves fewer than two, both ends.
function ticks({ shares, gaps }, at, width) {
  const across = (share) => EDGE.left + share * (width - EDGE.left - EDGE.right);
  const told = [];
  let free = EDGE.left;
  for (const [ms, text] of roundMoments(at[0], at.at(-1), ticksIn(width))) {
    const after = Math.max(1, at.findIndex((each) => each >= ms));
    if (gaps.includes(after) && ms < at[after]) continue;
    const part = (ms - at[after - 1]) / (at[after] - at[after - 1] || 1);
    const x = across(shares[after - 1] + (shares[after] - shares[after - 1]) * part);
    if (x < free || x > width - TICK / 2) continue;
    free = x + TICK;
    told.push(tick(x, "middle", text));
  }
  if (told.length > 1) return told;
  const [[, first], [, last]] = ends(at[0], at.at(-1));
  return [at[0] < at.at(-1) ? tick(across(0), "start", first) : null, tick(across(1), "end", last)];
}

function tick(x, anchor, text) {
  return h("text", { class: "small", x: round(x), y: HIGH - 6, "text-anchor": anchor }, text);
}

function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const nice = [1, 2, 4, 5, 6, 8, 10].map((each) => each * power).find((each) => each >= value);
  return nice < 2 ? 2 : nice;
}

// Says what is in a picture, for those who do not see it.
export function saidOf(times, key, values) {
  return t(key, { from: moment(times[0]), to: moment(times.at(-1)), ...values });
}
