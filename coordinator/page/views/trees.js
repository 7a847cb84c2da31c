// How a thing is made, as a tree: recipes, what each takes a run, what is free of it, and how urgently it is wanted at each level.

import { h } from "../dom.js";
import { choice, nothingOf } from "../parts.js";
import { percent, quantity, t } from "../words.js";

const OPEN_LEVELS = 2; // that are unfolded at first

export function trees(app, { names, thing, found }) {
  return [
    h("div", { class: "filters" }, choice(t("filter.thing"), thing, [...names].sort().map((name) => [name, name]), (name) => app.filter({ show: "tree", thing: name }))),
    found ? h("ul", { class: "tree card", "aria-label": t("tree.label", { thing }) }, branch(app, found, "")) : nothingOf(thing, found),
  ];
}

function branch(app, one, above) {
  const key = `${above}/${one.sort} ${one.name}`;
  const head = [
    one.per_run ? [h("strong", {}, quantity(one.per_run)), " "] : null,
    one.ways.length ? h("span", { class: "agent" }, one.name) : h("a", { class: "agent", href: app.link("network", { show: "upstream", thing: one.name }) }, one.name), // what unfolds holds no link
    one.sort === "process" ? [" ", h("span", { class: "sort muted" }, t("sort.process"))] : null,
    " ",
    one.pressure ? h("span", { class: `tier tier-${one.pressure[0]}` }, one.passed_on ? t("tree.passed", { tier: t(`tier.${one.pressure[0]}`) }) : t("past.pressure", { tier: t(`tier.${one.pressure[0]}`), count: one.pressure[1] })) : null,
    h("span", { class: "note" }, ` ${facts(one)}`),
  ];
  if (!one.ways.length) return h("li", { key }, h("p", {}, head, one.rest ? h("span", { class: "note" }, ` ${t(`tree.${one.rest}`)}`) : null));
  return h("li", { key }, h("details", { open: one.level < OPEN_LEVELS }, h("summary", {}, head), h("ul", {}, one.ways.map((way) => wayOf(app, way, key)))));
}

function facts(one) {
  const said = [one.offered_by ? t("tree.free", { count: one.offered_by, free: one.free.map(quantity).join(", ") }) : t("network.nobody")];
  if (one.needs) said.push(one.short_needs ? t("tree.short", { count: one.short_needs, needs: one.needs, share: percent(one.share_short) }) : t("tree.covered", { count: one.needs }));
  return said.join(" · ");
}

function wayOf(app, way, above) {
  const [agent, , subject] = way.recipe.split("/");
  return h(
    "li",
    { key: `${above}>${way.recipe}` },
    h("p", { class: "way" }, h("span", { class: "sort" }, t("network.sort_recipe")), " ", h("code", { title: way.recipe }, subject), " ", h("span", { class: "note" }, t("tree.gives", { agent, gives: quantity(way.gives) }), way.draft ? ` · ${t("tree.draft")}` : "")),
    h("ul", {}, way.takes.map((one, index) => branch(app, one, `${above}>${way.recipe}>${index}`))),
  );
}
