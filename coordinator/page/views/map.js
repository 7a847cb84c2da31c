// Who is where, what each lacks and offers, and what flows between them; with the same as a table, and those of whom no place is known.

import { h } from "../dom.js";
import { Chart } from "../map/canvas.js";
import { OFFERS, SHORT, VITAL, sceneOf } from "../map/scene.js";
import { agentLink, button, choice, empty, notice, section, table, tick } from "../parts.js";
import { ask } from "../server.js";
import { kilometres, number, percent, t } from "../words.js";

const LISTED = 60;
const PULSED = 40; // of what came at once, whose rings are drawn

let chart = null;
let box = null;
let tip = null;
let scale = null;
let land = null; // its data, when it came
let asking = null; // for it; a failure is forgotten, so that the next reading asks again
let kept = { data: null, options: "", scene: null, lists: null };

export const map = {
  name: "map",
  everyMs: 4_000,
  moves: () => true,
  hear(_, fresh) {
    if (!chart) return;
    for (const { source } of fresh.slice(-PULSED)) if (source.startsWith("agent:")) chart.pulse(source.slice(6));
  },
  async load(app, signal) {
    asking ??= askLand(app);
    return ask("map", {}, signal);
  },
  draw(app, data) {
    const { query } = app;
    const options = { thing: query.thing, onlyShort: Boolean(query.short), proposed: query.proposed !== "0", committed: query.committed !== "0" };
    const scene = sceneNow(data, options);
    if (!chart) build(app);
    if (land && !chart.world) chart.setWorld(land);
    chart.canvas.setAttribute("aria-label", t("map.picture", { count: listsOf(scene).seen.length }));
    return h(
      "div",
      { class: "stack" },
      filters(app, data),
      legend(),
      data.drawing ? notice("quiet", t("map.drawn", { error: percent(data.drawing.error) })) : null,
      box,
      lists(app, scene),
    );
  },
};

async function askLand(app) {
  try {
    land = await ask("page/world.json");
    app.redraw();
  } catch {
    asking = null;
  }
}

function sceneNow(data, options) {
  const key = JSON.stringify(options);
  if (kept.data !== data || kept.options !== key) {
    kept = { data, options: key, scene: sceneOf(data, options), lists: null };
    chart?.setScene(kept.scene);
  }
  return kept.scene;
}

function build(app) {
  chart = new Chart({
    pick: (agent) => app.go("book", { agent: chart.scene.names[agent] }),
    point: (mark, x, y) => showTip(mark, x, y),
    moved: (view) => remember(app, view),
  });
  tip = h("div", { class: "tip", hidden: true });
  scale = h("p", { class: "ruler" });
  const tools = h(
    "div",
    { class: "tools" },
    button("+", () => chart.zoom(1.6), { "aria-label": t("map.in") }),
    button("−", () => chart.zoom(1 / 1.6), { "aria-label": t("map.out") }),
    button("⤢", () => chart.fit(), { "aria-label": t("map.whole") }),
  );
  box = h("div", { class: "chart", key: "chart", own: true }, chart.canvas, tools, scale, tip);
  const { v } = app.query;
  if (v) {
    const [x, y, zoom] = v.split("_").map(Number);
    if ([x, y, zoom].every(Number.isFinite)) chart.look({ x, y, scale: zoom });
  }
  chart.setScene(kept.scene);
}

// The address keeps where one looks, so that a link shows the same.
function remember(app, { x, y, scale: zoom }) {
  if (app.view !== map) return;
  app.query.v = [x.toFixed(5), y.toFixed(5), Math.round(zoom)].join("_");
  history.replaceState(null, "", app.link("map", app.query));
  const ruler = chart.ruler();
  scale.replaceChildren(ruler ? kilometres(ruler.km) : "");
  scale.style.setProperty("--wide", `${ruler?.pixels ?? 0}px`);
}

function showTip(mark, x, y) {
  tip.hidden = mark === null;
  if (!mark) return;
  const { scene } = chart;
  const lines = mark.agents
    ? [h("strong", {}, t("map.bubble", { count: mark.count })), t("map.bubble_short", { count: mark.short }), t("map.bubble_offers", { count: mark.offers })]
    : [h("strong", {}, scene.labels[mark.agent] || scene.names[mark.agent]), t("map.short_needs", { count: scene.shortNeeds[mark.agent] }), t("map.open_offers", { count: scene.openOffers[mark.agent] })];
  tip.replaceChildren(...lines.map((line) => h("span", {}, line)));
  tip.style.setProperty("--x", `${Math.min(x + 14, chart.size[0] - 210)}px`);
  tip.style.setProperty("--y", `${Math.min(y + 14, chart.size[1] - 90)}px`);
}

function filters(app, { things }) {
  const { query } = app;
  const names = [...things].sort().map((name) => [name, name]);
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

// Who is on the map and who has no place, the most urgent first: found once a scene, for with many agents it takes a while.
function listsOf(scene) {
  if (kept.lists === null) {
    const byUrgency = (one, other) => scene.status[other] - scene.status[one] || scene.heat[other] - scene.heat[one] || one - other;
    const [seen, homeless] = [[], []];
    for (let agent = 0; agent < scene.x.length; agent += 1) {
      if (!Number.isNaN(scene.x[agent])) seen.push(agent);
      else if (noPlace(agent)) homeless.push(agent);
    }
    kept.lists = { seen: seen.sort(byUrgency), homeless: homeless.sort(byUrgency) };
  }
  return kept.lists;
}

function lists(app, scene) {
  const { seen, homeless } = listsOf(scene);
  return [
    homeless.length ? section(t("map.without", { count: homeless.length }), h("p", { class: "note" }, t("map.without_note")), agents(app, scene, homeless, t("map.without_table"))) : null,
    h("details", { class: "card", key: "as-table" }, h("summary", {}, t("map.table", { count: seen.length })), seen.length ? agents(app, scene, seen, t("map.table_title")) : empty(t("map.nobody"))),
  ];
}

function noPlace(agent) {
  const { agents: columns, drawing } = kept.data;
  return drawing ? columns.east_km[agent] === null : columns.lat[agent] === null;
}

function agents(app, scene, list, caption) {
  const says = { [VITAL]: t("legend.vital"), [SHORT]: t("legend.short"), [OFFERS]: t("legend.offers") };
  const rows = list.slice(0, LISTED).map((agent) => Object.assign([agentLink(app, scene.names[agent], scene.labels[agent]), says[scene.status[agent]] ?? t("legend.quiet"), number(scene.shortNeeds[agent]), number(scene.openOffers[agent])], { key: scene.names[agent] }));
  return [
    table(caption, [t("column.agent"), t("column.state"), t("column.short"), t("column.offers")], rows, { figures: [2, 3], hidden: true }),
    list.length > LISTED ? h("p", { class: "note" }, t("map.more", { count: list.length - LISTED })) : null,
  ];
}
