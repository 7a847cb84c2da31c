// Who is where, what each lacks and offers, and what flows between them; with the same as a table, and those of whom no place is known.

import { h } from "../dom.js";
import { Chart } from "../map/canvas.js";
import { OFFERS, SHORT, VITAL } from "../map/scene.js";
import { agentLink, button, choice, empty, notice, section, table, tick } from "../parts.js";
import { Trouble, bearer } from "../server.js";
import { kilometres, number, percent, t } from "../words.js";

const ASKED_AGAIN_MS = 2_500;
const PULSED = 40; // of what came at once, whose rings are drawn

let chart = null;
let box = null;
let tip = null;
let scale = null;
let land = null; // the question for it; a failure is forgotten, so that the next reading asks again
let painter = null; // the thread that reads the map and paints it
let scene = null; // what is drawn, as it was read last
let shaped = ""; // the filters by which it was; none where the thread has read nothing yet
let looked = ""; // where one looks, as the address has it
let listed = false; // whether the map as a table is open

export const map = {
  name: "map",
  everyMs: 4_000,
  waits: "map.waits",
  moves: () => true,
  hear(_, fresh) {
    if (!chart) return;
    for (const { source } of fresh.slice(-PULSED)) if (source.startsWith("agent:")) chart.pulse(source.slice(6));
  },
  async load(app) {
    land ??= askLand();
    const options = optionsOf(app.query);
    if (shaped && shaped !== JSON.stringify(options)) {
      await read({ options }); // by other filters, what is known already is shown first
      app.redraw();
    }
    return read({ options, address: addressOf("map"), tokens: [bearer.token, ...bearer.others].filter(Boolean) });
  },
  draw(app) {
    if (!chart) build(app);
    if (chart.scene !== scene) chart.setScene(scene);
    if (app.query.v && app.query.v !== looked) look(app.query.v);
    chart.canvas.setAttribute("aria-label", t("map.picture", { count: scene.seen.count }));
    return h(
      "div",
      { class: "stack" },
      filters(app),
      legend(),
      scene.drawing ? notice("quiet", t("map.drawn", { error: percent(scene.drawing.error) })) : null,
      scene.drawnShare === null ? null : drawingUnderWay(app),
      box,
      h("p", { class: "note keys" }, t("map.keys")),
      lists(app),
    );
  },
};

async function askLand() {
  try {
    await ask("land", { address: addressOf("page/world.json") });
    chart?.renew();
  } catch {
    land = null;
  }
}

const addressOf = (path) => new URL(path, document.baseURI).href;

function optionsOf({ thing, short, proposed, committed }) {
  return { thing, onlyShort: Boolean(short), proposed: proposed !== "0", committed: committed !== "0" };
}

// -- the thread beside the page --------------------------------------------------------------------------------------------

const waiting = new Map(); // what was asked of it -> who waits for that
let asked = 0;

function ask(way, question) {
  painter ??= startPainter();
  asked += 1;
  const number = asked;
  return new Promise((done, failed) => {
    waiting.set(number, { done, failed });
    painter.postMessage({ number, way, question });
  });
}

function startPainter() {
  const thread = new Worker(new URL("../map/painter.js", import.meta.url), { type: "module" });
  thread.onmessage = ({ data: { number, told, trouble } }) => {
    const { done, failed } = waiting.get(number);
    waiting.delete(number);
    if (!trouble) done(told);
    else failed(trouble.name === "AbortError" ? new DOMException("", "AbortError") : new Trouble(trouble.status, trouble.code, trouble.message));
  };
  thread.onerror = giveUp;
  return thread;
}

// A thread whose scripts did not come answers nothing: whoever waits is told so, and the next question begins another.
function giveUp() {
  painter.terminate();
  painter = land = null;
  shaped = "";
  for (const { failed } of waiting.values()) failed(new Trouble(0, "unreachable", ""));
  waiting.clear();
}

async function read(question) {
  const told = await ask("read", question);
  const known = told.names ?? scene.names;
  scene = { ...told, names: known, labels: told.labels ?? scene.labels, index: told.names ? new Map(known.map((name, agent) => [name, agent])) : scene.index };
  shaped = JSON.stringify(question.options);
  return scene;
}

// -- what is shown ---------------------------------------------------------------------------------------------------------

function build(app) {
  chart = new Chart({
    paint: (look) => ask("paint", { look }),
    pick: (agent) => app.go("book", { agent }),
    point: (mark, x, y) => showTip(mark, x, y),
    moved: (view) => remember(app, view),
  });
  tip = h("div", { class: "tip", hidden: true, role: "status" });
  scale = h("p", { class: "ruler" });
  const tools = h(
    "div",
    { class: "tools" },
    button("+", () => chart.zoom(1.6), { "aria-label": t("map.in") }),
    button("−", () => chart.zoom(1 / 1.6), { "aria-label": t("map.out") }),
    button("⤢", () => chart.fit(), { "aria-label": t("map.whole") }),
  );
  box = h("div", { class: "chart", key: "chart", own: true }, chart.parts, tools, scale, tip);
}

let again = null; // when the map is asked for again while it is being drawn

function drawingUnderWay(app) {
  again ??= setTimeout(() => {
    again = null;
    if (app.view === map) app.reload();
  }, ASKED_AGAIN_MS);
  return h("p", { class: "notice quiet", role: "status" }, t("map.drawing", { share: percent(scene.drawnShare) }));
}

// Goes to where an address says that one looks: a link, or a step back, also while the map is open.
function look(where) {
  looked = where;
  const [x, y, zoom] = where.split("_").map(Number);
  if ([x, y, zoom].every(Number.isFinite)) chart.look({ x, y, scale: zoom });
}

// The address keeps where one looks, so that a link shows the same.
function remember(app, { x, y, scale: zoom }) {
  if (app.view !== map) return;
  app.query.v = looked = [x.toFixed(5), y.toFixed(5), Math.round(zoom)].join("_");
  history.replaceState(null, "", app.link("map", app.query));
  const ruler = chart.ruler();
  scale.replaceChildren(ruler ? kilometres(ruler.km) : "");
  scale.style.setProperty("--wide", `${ruler?.pixels ?? 0}px`);
}

function showTip(mark, x, y) {
  tip.hidden = mark === null;
  if (!mark) return;
  const agent = scene.index.get(mark.name);
  const lines = mark.count > 1
    ? [h("strong", {}, t("map.bubble", { count: mark.count })), t("map.bubble_short", { count: mark.short }), t("map.bubble_offers", { count: mark.offers })]
    : [h("strong", {}, scene.labels[agent] || mark.name), t("map.short_needs", { count: scene.shortNeeds[agent] ?? 0 }), t("map.open_offers", { count: scene.openOffers[agent] ?? 0 })];
  tip.replaceChildren(...lines.map((line) => h("span", {}, line)));
  tip.style.setProperty("--x", `${Math.min(x + 14, chart.size[0] - 210)}px`);
  tip.style.setProperty("--y", `${Math.min(y + 14, chart.size[1] - 90)}px`);
}

function filters(app) {
  const { query } = app;
  const names = [...scene.things].sort().map((name) => [name, name]);
  return h(
    "div",
    { class: "filters" },
    choice(t("filter.thing"), query.thing, [["", t("filter.all")], ...names], (thing) => app.filter({ thing })),
    tick(t("map.only_short"), Boolean(query.short), (on) => app.filter({ short: on ? 1 : "" })),
    tick(t("map.proposed"), query.proposed !== "0", (on) => app.filter({ proposed: on ? "" : "0" })),
    tick(t("map.committed"), query.committed !== "0", (on) => app.filter({ committed: on ? "" : "0" })),
  );
}

function legend() {
  const dot = (kind) => h("svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, h("circle", { cx: 8, cy: 8, r: 4.5, class: `dot-${kind}` }), kind === "vital" ? h("circle", { cx: 8, cy: 8, r: 7, class: "ring-vital" }) : null);
  const line = (kind) => h("svg", { width: 26, height: 10, viewBox: "0 0 26 10", "aria-hidden": "true" }, h("path", { d: "M1 5h24", class: `flow-${kind}` }));
  return h(
    "p",
    { class: "legend" },
    h("span", {}, dot("vital"), t("legend.vital")),
    h("span", {}, dot("short"), t("legend.short")),
    h("span", {}, dot("offers"), t("legend.offers")),
    h("span", {}, dot("quiet"), t("legend.quiet")),
    h("span", {}, line("bound"), t("legend.bound")),
    h("span", {}, line("proposed"), t("legend.proposed")),
  );
}

// Who is on the map and who has no place, the most urgent first. The table is made only while it is open.
function lists(app) {
  const { seen, homeless } = scene;
  const toggled = (event) => {
    listed = event.target.open;
    app.redraw();
  };
  return [
    homeless.count ? section(t("map.without", { count: homeless.count }), h("p", { class: "note" }, t(scene.drawn ? "map.without_drawing" : "map.without_note")), agents(app, homeless, t("map.without_table"))) : null,
    h("details", { class: "card", key: "as-table", open: listed, on: { toggle: toggled } }, h("summary", {}, t("map.table", { count: seen.count })), !listed ? null : seen.count ? agents(app, seen, t("map.table_title")) : empty(t("map.nobody"))),
  ];
}

function agents(app, { count, agents: list }, caption) {
  const says = { [VITAL]: t("legend.vital"), [SHORT]: t("legend.short"), [OFFERS]: t("legend.offers") };
  const rows = list.map((agent) => Object.assign([agentLink(app, scene.names[agent], scene.labels[agent]), says[scene.status[agent]] ?? t("legend.quiet"), number(scene.shortNeeds[agent]), number(scene.openOffers[agent])], { key: scene.names[agent] }));
  return [
    table(caption, [t("column.agent"), t("column.state"), t("column.short"), t("column.offers")], rows, { figures: [2, 3], hidden: true }),
    count > list.length ? h("p", { class: "note" }, t("map.more", { count: count - list.length })) : null,
  ];
}
