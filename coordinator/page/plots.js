// Small pictures of something over time, as shapes that scale; each stands beside the same as a table.

import { h } from "./dom.js";
import { inShort, moment, number, percent, t, tick as tickOf } from "./words.js";

const WIDE = 640;
const HIGH = 190;
const EDGE = { left: 34, right: 8, top: 10, bottom: 22 };
const TICKS = 4;

// Returns layers one above the other, the first at the bottom. `series` are rows of figures, as long as `times`.
export function stacked(times, series, classes, label) {
  const at = times.map((each) => Date.parse(each));
  const sums = at.map((_, index) => series.reduce((sum, row) => sum + row[index], 0));
  const most = niceAbove(Math.max(1, ...sums));
  const x = across(at, WIDE - EDGE.left - EDGE.right, EDGE.left);
  const y = (value) => EDGE.top + (HIGH - EDGE.top - EDGE.bottom) * (1 - value / most);
  const below = at.map(() => 0);
  const shapes = series.map((row, layer) => {
    const lower = below.slice();
    row.forEach((value, index) => (below[index] += value));
    if (row.every((value) => value === 0)) return null;
    return h("path", { class: `area ${classes[layer]}`, d: `${steps(at.map((_, index) => [x(index), y(below[index])]))}L${steps(at.map((_, index) => [x(index), y(lower[index])]).reverse(), true).slice(1)}Z` });
  });
  return h("svg", { class: "plot", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label }, grid(most, y), shapes, axis(at));
}

// Returns a line of shares from 0 to 1, without axes.
export function spark(times, shares, label) {
  const at = times.map((each) => Date.parse(each));
  const x = across(at, 120, 0);
  const points = shares.map((share, index) => [x(index), 1.5 + 25 * (1 - share)]);
  return h("svg", { class: "spark", viewBox: "0 0 120 28", preserveAspectRatio: "none", role: "img", "aria-label": label }, h("path", { class: "spark-fill", d: `${steps(points)}L120 28L0 28Z` }), h("path", { class: "spark-line", d: steps(points) }));
}

// Returns the figures of such pictures as rows: the moments in reverse, at most so many.
export function asRows(times, cells, most = 40) {
  const every = Math.max(1, Math.ceil(times.length / most));
  const kept = [...times.keys()].filter((index) => (times.length - 1 - index) % every === 0).reverse();
  return kept.map((index) => [moment(times[index]), ...cells(index)]);
}

export function shareText(share) {
  return share === 0 ? number(0) : percent(share);
}

function across(at, width, left) {
  const whole = at.at(-1) - at[0];
  return (index) => left + (whole ? ((at[index] - at[0]) / whole) * width : width);
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

function grid(most, y) {
  return [0, most / 2, most].map((value) => [h("line", { class: "grid", x1: EDGE.left, x2: WIDE - EDGE.right, y1: y(value), y2: y(value) }), h("text", { class: "small", x: EDGE.left - 6, y: y(value) + 4, "text-anchor": "end" }, inShort(value))]);
}

function axis(at) {
  const shown = at.length < 2 || at[0] === at.at(-1) ? [] : [...Array(TICKS).keys()].map((each) => at[0] + ((at.at(-1) - at[0]) * each) / (TICKS - 1));
  const whole = at.at(-1) - at[0];
  const place = (time) => EDGE.left + ((time - at[0]) / whole) * (WIDE - EDGE.left - EDGE.right);
  return shown.map((time, index) => h("text", { class: "small", x: place(time), y: HIGH - 6, "text-anchor": index === 0 ? "start" : index === TICKS - 1 ? "end" : "middle" }, tickOf(time, whole)));
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
