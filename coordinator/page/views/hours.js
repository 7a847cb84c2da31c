// Promised machine hours in time: a line a capacity, its window as a track, and what is booked of it as bars.

import { h } from "../dom.js";
import { agentLink, choice, empty, notice, state, table, textFilter } from "../parts.js";
import { moment, number, quantity, roundMoments, t } from "../words.js";

const ROW = 38;
const LABEL = 190;
const WIDE = 760;
const TOP = 26;
const TICKS = 8; // at most
const LETTER = 6.4; // pixels, about, of what is written in a bar
const DRAWN = 60;
const BACK_MS = 86_400_000; // of the past that is drawn at most

export function hours(app, { found, names, process, agent }) {
  const rows = found.items;
  const drawn = rows.slice(0, DRAWN);
  const from = beginOf(found.now, drawn);
  const past = drawn.reduce((sum, row) => sum + row.booked.filter((one) => isPast(one, from)).length, 0);
  return [
    h("div", { class: "filters" }, choice(t("sort.process"), process, [["", t("filter.all")], ...names.map((name) => [name, name])], (name) => app.filter({ process: name })), textFilter(t("filter.agent"), agent, (name) => app.filter({ agent: name }))),
    rows.length ? [legend(), chart(found.now, drawn)] : empty(t("hours.none")),
    past ? notice("quiet", t("hours.past", { count: past })) : null,
    found.total > drawn.length ? notice("quiet", t("hours.more", { count: found.total - drawn.length })) : null,
    rows.length ? h("div", { class: "card" }, asTable(app, rows)) : null,
  ];
}

function legend() {
  const bar = (kind) => h("svg", { width: 22, height: 12, viewBox: "0 0 22 12", "aria-hidden": "true" }, h("rect", { class: `booking booking-${kind}`, width: 22, height: 12, rx: 3 }));
  return h("p", { class: "legend" }, h("span", {}, bar("bound"), t("legend.bound")), h("span", {}, bar("promised"), t("state.promised")), h("span", {}, bar("proposed"), t("legend.proposed")), h("span", {}, bar("free"), t("hours.window")));
}

// Where the axis begins: now, or as much earlier as somebody is booked, within a day. Windows that were open long before say nothing.
function beginOf(now, rows) {
  const begins = rows.flatMap((row) => row.booked.filter((one) => one.is_set).map((one) => Date.parse(one.begin)));
  return Math.max(Date.parse(now) - BACK_MS, Math.min(Date.parse(now), ...begins));
}

const isPast = (one, from) => Date.parse(one.end) <= from;

// A bar is as long as its hours. One that has no hour yet stands as early in its window as those before it let it.
function chart(now, rows) {
  const times = rows.flatMap((row) => [row.end, ...row.booked.map((one) => one.end)]).map((each) => Date.parse(each));
  const [from, until] = [beginOf(now, rows), Math.max(...times, Date.parse(now) + 3_600_000)];
  const x = (time) => LABEL + (Math.max(0, new Date(time).getTime() - from) / (until - from)) * WIDE;
  const hour = (3_600_000 / (until - from)) * WIDE;
  const high = TOP + rows.length * ROW + 6;
  const label = t("hours.picture", { count: rows.length, from: moment(new Date(from).toISOString()), to: moment(new Date(until).toISOString()) });
  return h(
    "div",
    { class: "layers", role: "region", tabindex: "0", "aria-label": label },
    h(
      "svg",
      { class: "gantt", viewBox: `0 0 ${LABEL + WIDE + 16} ${high}`, width: LABEL + WIDE + 16, height: high, role: "img", "aria-label": label },
      roundMoments(from, until, TICKS).map(([ms, text]) => [h("line", { class: "grid", x1: x(ms), x2: x(ms), y1: TOP - 6, y2: high }), h("text", { class: "small", x: x(ms), y: 14, "text-anchor": x(ms) > LABEL + WIDE - 16 ? "end" : "middle" }, text)]),
      rows.map((row, index) => line({ ...row, booked: row.booked.filter((one) => !isPast(one, from)) }, TOP + index * ROW, x, hour)),
      h("line", { class: "now", x1: x(now), x2: x(now), y1: TOP - 6, y2: high }),
    ),
  );
}

function line(row, y, x, hour) {
  const cut = (text) => (text.length > 24 ? `${text.slice(0, 23)}…` : text);
  let free = -Infinity; // where the next booking may stand
  const bars = row.booked.map((one) => {
    const [begin, end] = [x(one.begin), x(one.end)];
    const wide = Math.max(3, Math.min(end - begin, one.hours.value * hour));
    const left = Math.max(begin, Math.min(free, end - wide));
    free = left + wide;
    const kind = one.state === "proposed" ? "proposed" : one.state === "promised" ? "promised" : "bound";
    return h("g", {}, h("rect", { class: `booking booking-${kind}`, x: left, y: y + 5, width: wide, height: ROW - 14, rx: 4 }), h("text", { class: `small on-${kind}`, x: left + 6, y: y + ROW / 2 + 2 }, fitting(wide - 10, `${quantity(one.hours)} ${one.receiver}`, quantity(one.hours))));
  });
  return h("g", {}, h("text", { x: 14, y: y + 15 }, cut(row.agent)), h("text", { class: "small", x: 14, y: y + 30 }, cut(row.process)), h("rect", { class: "booking booking-free", x: x(row.begin), y: y + 5, width: Math.max(2, x(row.end) - x(row.begin)), height: ROW - 14, rx: 4 }), bars);
}

// Returns the first of some texts that fits into so many pixels, else nothing.
function fitting(wide, ...texts) {
  return texts.find((text) => text.length * LETTER <= wide) ?? "";
}

function asTable(app, rows) {
  const cells = rows.flatMap((row) => {
    const head = () => [agentLink(app, row.agent), row.process, quantity(row.stated), quantity(row.free)]; // an element stands in one row only
    if (!row.booked.length) return [Object.assign([...head(), "–", "–", "–", "–"], { key: row.ref })];
    return row.booked.map((one) => Object.assign([...head(), agentLink(app, one.receiver), quantity(one.hours), [moment(one.begin), " – ", moment(one.end), one.is_set ? "" : ` (${t("hours.within")})`], [state(one.state), " ", h("a", { class: "ref", href: app.link("proposals", { id: one.proposal }) }, one.proposal.slice(0, 8))]], { key: `${row.ref} ${one.proposal} ${one.need}` }));
  });
  const columns = [t("column.agent"), t("sort.process"), t("hours.stated"), t("column.free"), t("hours.for"), t("column.quantity"), t("column.time"), t("column.state")];
  return table(t("hours.table", { count: number(rows.length) }), columns, cells, { figures: [2, 3, 5] });
}
