// What feeds a thing, what hangs on an agent, where the network is weak, and what nothing can reach.

import { h } from "../dom.js";
import { agentLink, choice, empty, needLink, nothingOf, notice, section, table, tabsOf, textFilter, tier } from "../parts.js";
import { ask, ofAgent, unknownHere } from "../server.js";
import { inWords } from "../telling.js";
import { number, quantity, t } from "../words.js";
import { hours } from "./hours.js";
import { trees } from "./trees.js";

const SIDES = ["upstream", "tree", "hours", "downstream", "weak", "unreachable"];
const NARROW = matchMedia("(max-width: 40rem)");
const inColumn = () => (NARROW.matches ? 6 : 12); // nodes of one level that are drawn; the table has them all
const NODE = { width: 190, height: 44, between: 14, apart: 56 };
const ROWS = 200;

export const network = {
  name: "network",
  choices: { show: SIDES },
  everyMs: 5_000,
  moves: () => true,
  async load(app, signal) {
    const side = sideOf(app);
    const { thing, agent } = app.query;
    const { things } = await ask("network/stats", {}, signal);
    const names = things.map((each) => each.name);
    if (side === "upstream") {
      const name = thing ?? (things.find((each) => each.needs && each.sort === "resource") ?? things[0])?.name;
      return { side, names, thing: name, found: name ? await ask(`network/upstream/${encodeURIComponent(name)}`, {}, signal).catch(unknownHere) : undefined };
    }
    if (side === "tree") {
      const name = thing ?? (await firstMade(things, signal));
      return { side, names, thing: name, found: name ? await ask(`network/tree/${encodeURIComponent(name)}`, {}, signal).catch(unknownHere) : undefined };
    }
    if (side === "hours") {
      const { process } = app.query;
      return { side, names: things.filter((each) => each.sort === "process").map((each) => each.name), process, agent, found: await ask("network/hours", { process, agent }, signal) };
    }
    if (side === "downstream") {
      const first = agent ?? (await ask("agents/newest", { limit: 1 }, signal)).items[0]?.agent;
      return { side, names, agent: first, found: first ? await ask(`network/downstream/${ofAgent(first)}`, {}, signal).catch(unknownHere) : undefined };
    }
    return { side, names, found: await ask(`network/${side === "weak" ? "weak-points" : "unreachable"}`, {}, signal) };
  },
  draw(app, data) {
    const tabs = tabsOf(app, SIDES, sideOf(app), (side) => t(`network.${side}`));
    if (data.side !== sideOf(app)) return h("div", { class: "stack" }, tabs, h("p", { class: "loading" }, t("loading")));
    return h("div", { class: "stack" }, tabs, h("p", { class: "lead" }, t(`network.${data.side}_lead`)), { upstream, tree: trees, hours, downstream, weak, unreachable }[data.side](app, data));
  },
};

// Returns a thing that somebody needs and some recipe makes, else any that is needed.
async function firstMade(things, signal) {
  const needed = things.filter((each) => each.needs && each.sort === "resource");
  for (const each of needed.slice(0, 8)) {
    const found = await ask(`network/tree/${encodeURIComponent(each.name)}`, {}, signal);
    if (found.ways.length) return each.name;
  }
  return (needed[0] ?? things[0])?.name;
}

const ofThing = ({ quantity: amount, name }) => `${quantity(amount)} ${name}`;

function sideOf(app) {
  return SIDES.includes(app.query.show) ? app.query.show : "upstream";
}

// -- what feeds a thing ----------------------------------------------------------------------------------------------------

function upstream(app, { names, thing, found }) {
  const filters = h("div", { class: "filters" }, choice(t("filter.thing"), thing, [...names].sort().map((name) => [name, name]), (name) => app.filter({ show: "upstream", thing: name })));
  if (!found?.items.length) return [filters, nothingOf(thing, found)];
  const rows = found.items.map((each) => [number(each.level), each.name, t(`sort.${each.sort}`), each.into.join(", ") || "–", each.free.map(quantity).join(", ") || "–", each.agents.length ? each.agents.slice(0, 6).map((name, index) => [index ? ", " : "", agentLink(app, name)]).concat(each.agents.length > 6 ? [` +\u00a0${number(each.agents.length - 6)}`] : []) : t("network.nobody")]);
  return [
    filters,
    graph(...upstreamGraph(found), t("network.upstream_picture", { thing })),
    h("div", { class: "card" }, table(t("network.upstream_table", { thing }), [t("column.step"), t("column.thing"), t("column.kind"), t("column.into"), t("column.free"), t("column.offered_by")], rows, { figures: [0, 4] })),
  ];
}

// Two columns for each level but the first: things, and the recipes that they go into. What comes out stands to the right.
function upstreamGraph({ items, recipes }) {
  const deepest = Math.max(...items.map((each) => each.level));
  const nodes = [];
  const edges = [];
  for (const each of items) {
    const offered = each.agents.length ? `${t("network.offered_by", { count: each.agents.length })} · ${t("network.free", { free: each.free.map(quantity).join(", ") })}` : t("network.nobody");
    const kind = each.level === 0 ? "goal" : each.agents.length || Object.values(recipes).some((recipe) => recipe.outputs.includes(each.name)) ? "" : "lonely";
    nodes.push({ id: `${each.sort} ${each.name}`, column: 2 * (deepest - each.level), title: each.name, small: offered, kind });
    for (const recipe of each.into) edges.push([`${each.sort} ${each.name}`, `recipe ${recipe}`]);
  }
  for (const [name, { outputs }] of Object.entries(recipes)) {
    const level = Math.min(...items.filter((each) => each.into.includes(name)).map((each) => each.level));
    nodes.push({ id: `recipe ${name}`, column: 2 * (deepest - level) + 1, title: name.split("/").at(-1), small: t("network.recipe_of", { agent: name.split("/")[0] }), kind: "recipe" });
    for (const output of outputs) edges.push([`recipe ${name}`, `resource ${output}`]);
  }
  return [nodes, edges];
}

// -- what hangs on an agent ------------------------------------------------------------------------------------------------

function downstream(app, { agent, found }) {
  const filters = h("div", { class: "filters" }, textFilter(t("filter.agent"), agent, (name) => app.filter({ show: "downstream", agent: name })));
  if (!found?.items.length) return [filters, nothingOf(agent, found)];
  const own = { id: `agent ${agent}`, column: 0, title: agent, small: "", kind: "goal" };
  const last = 1 + Math.max(0, ...found.items.filter((each) => each.sort !== "agent").map((each) => each.level)); // nothing hangs on those who need
  const nodes = found.items.map((each) => ({
    id: `${each.sort} ${each.name}`,
    column: each.sort === "agent" ? last : each.level,
    title: each.sort === "recipe" ? each.name.split("/").at(-1) : each.name,
    small: [t(`network.sort_${each.sort}`), each.sole ? t("network.sole") : ""].filter(Boolean).join(" · "),
    kind: each.sole ? "lonely" : each.sort === "recipe" ? "recipe" : "",
  }));
  const edges = found.items.flatMap((each) => each.after.map(([sort, name]) => [`${sort} ${name}`, `${each.sort} ${each.name}`]));
  const rows = found.items.slice(0, ROWS).map((each) => [number(each.level), each.sort === "agent" ? agentLink(app, each.name) : each.name, t(`network.sort_${each.sort}`), each.sole ? t("network.sole") : "–", each.proposed.map(ofThing).join(", ") || "–", each.committed.map(ofThing).join(", ") || "–"]);
  return [
    filters,
    graph([own, ...nodes], edges, t("network.downstream_picture", { agent })),
    h("div", { class: "card" }, table(t("network.downstream_table", { agent }), [t("column.step"), t("column.thing"), t("column.kind"), t("column.sole"), t("column.proposed"), t("column.committed")], rows, { figures: [0, 4, 5] })),
  ];
}

// -- a picture of layers ---------------------------------------------------------------------------------------------------

function graph(nodes, edges, label) {
  const columns = new Map();
  for (const node of nodes) columns.set(node.column, [...(columns.get(node.column) ?? []), node]);
  const most = inColumn();
  const used = [...columns.keys()].sort((one, other) => one - other);
  const rows = Math.max(...[...columns.values()].map((some) => Math.min(most + 1, some.length)));
  const height = rows * (NODE.height + NODE.between) + NODE.between;
  const at = new Map();
  const shapes = [];
  used.forEach((column, index) => {
    const some = columns.get(column).sort((one, other) => (other.kind === "lonely") - (one.kind === "lonely"));
    const shown = sorted(some.slice(0, most), edges, at);
    const more = some.length - shown.length;
    const top = NODE.between; // from the top on, so that the first step is in sight however many the last one has
    const x = 20 + index * (NODE.width + NODE.apart);
    shown.forEach((node, row) => {
      const y = top + row * (NODE.height + NODE.between);
      at.set(node.id, [x, y + NODE.height / 2]);
      shapes.push(box(node, x, y));
    });
    if (more) shapes.push(h("text", { class: "small", x: x + 12, y: top + shown.length * (NODE.height + NODE.between) + 20 }, t("network.more", { count: more })));
  });
  const lines = edges.filter(([from, to]) => at.has(from) && at.has(to)).map(([from, to]) => edge(at.get(from), at.get(to)));
  const width = 40 + used.length * (NODE.width + NODE.apart) - NODE.apart;
  return h("div", { class: "layers", role: "region", tabindex: "0", "aria-label": label }, h("svg", { viewBox: `0 0 ${width} ${height}`, vars: { natural: `${width}px` }, role: "img", "aria-label": label }, lines, shapes));
}

// Returns the nodes of a column in the order of what leads to them in the columns before, so that few lines cross.
function sorted(nodes, edges, at) {
  const heights = new Map(nodes.map((node) => [node.id, []]));
  for (const [from, to] of edges) if (heights.has(to) && at.has(from)) heights.get(to).push(at.get(from)[1]);
  const middle = (node) => heights.get(node.id).reduce((sum, each) => sum + each, 0) / (heights.get(node.id).length || 1);
  return nodes.sort((one, other) => middle(one) - middle(other));
}

function box({ title, small, kind }, x, y) {
  const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  return h("g", {}, h("rect", { class: `node ${kind}`, x, y, width: NODE.width, height: NODE.height, rx: kind === "recipe" ? 22 : 8 }), h("text", { x: x + 14, y: y + (small ? 19 : 27) }, cut(title, 24)), small ? h("text", { class: "small", x: x + 14, y: y + 34 }, cut(small, 30)) : null);
}

function edge([x, y], [u, v]) {
  const [start, end] = u > x ? [x + NODE.width, u] : [x, u + NODE.width];
  const middle = (start + end) / 2;
  return h("path", { class: "edge", d: `M${start} ${y}C${middle} ${y} ${middle} ${v} ${end} ${v}` });
}

// -- where it is weak, and what is out of reach ----------------------------------------------------------------------------

function weak(app, { found }) {
  const hinges = found.hinges.slice(0, ROWS).map((one) => [agentLink(app, one.agent), number(one.needs.length), one.unpromised.map(ofThing).join(", "), one.needs.slice(0, 3).map((ref, index) => [index ? ", " : "", needLink(app, ref)])]);
  const bottlenecks = found.bottlenecks.slice(0, ROWS).map((one) => [one.names.join(", "), quantity(one.asked), one.through ? quantity(one.through) : "–", one.short ? quantity(one.short) : "–", number(one.short_needs), one.scarce.slice(0, 4).map((each) => each.name).join(", ") + (one.scarce.length > 4 ? ` +\u00a0${number(one.scarce.length - 4)}` : "")]);
  return [
    section(t("network.hinges"), h("p", { class: "note" }, t("network.hinges_note")), hinges.length ? table(t("network.hinges"), [t("column.agent"), t("column.needs"), t("column.unpromised"), t("column.need")], hinges, { figures: [1], hidden: true }) : empty(t("network.no_hinges"))),
    section(t("network.bottlenecks"), h("p", { class: "note" }, t("network.bottlenecks_note")), bottlenecks.length ? table(t("network.bottlenecks"), [t("column.thing"), t("column.asked"), t("column.through"), t("overview.short_column"), t("column.short"), t("column.scarce")], bottlenecks, { figures: [1, 2, 3, 4], hidden: true }) : empty(t("network.no_bottlenecks"))),
    theRest(found),
  ];
}

// Of what is no bottleneck only the number is told; a sentence about none of it is left out.
function theRest({ bottlenecks, enough, without_supply: without, needs_without_supply: needs }) {
  const said = [];
  if (enough) said.push(t(bottlenecks.length ? "network.enough_other_than_these" : "network.enough", { count: enough }));
  if (without) said.push(t("network.without", { count: without, needs: t("network.in_needs", { count: needs }) }));
  return said.length ? notice("quiet", said.join(" ")) : null;
}

function unreachable(app, { found }) {
  if (!found.items.length) return empty(t("network.all_reached"));
  const rows = found.items.slice(0, ROWS).map((one) => [needLink(app, one.need), tier(one.tier), quantity(one.unpromised), one.name, h("span", {}, one.reasons.map((each, index) => [index ? "; " : "", inWords(each)]), one.near.length ? ` (${one.near.map((each) => each.name).join(", ")}?)` : "")]);
  return h("div", { class: "card" }, table(t("network.unreachable"), [t("column.need"), t("column.tier"), t("column.unpromised"), t("column.thing"), t("column.why")], rows, { figures: [2], hidden: true }), found.items.length > ROWS ? h("p", { class: "note" }, t("map.more", { count: found.items.length - ROWS })) : null);
}
