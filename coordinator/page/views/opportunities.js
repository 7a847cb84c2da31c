// One agent's own page: what its next hour, kilo or piece would relieve, the most urgent first. The address can be bookmarked.

import { h } from "../dom.js";
import { agentLink, empty, needLink, notice, textFilter, tier } from "../parts.js";
import { ask, ofAgent } from "../server.js";
import { inWords } from "../telling.js";
import { kilometres, quantity, t } from "../words.js";

export const opportunities = {
  name: "opportunities",
  everyMs: 5_000,
  moves: () => true,
  async load(app, signal) {
    const agent = app.query.agent || app.session.names[0];
    if (!agent) return { agent: "", items: [], others: (await ask("agents/newest", { limit: 24 }, signal)).items };
    try {
      const { items, nothing } = await ask(`opportunities/${ofAgent(agent)}`, {}, signal);
      return { agent, items, nothing, others: [] };
    } catch (trouble) {
      if (trouble.status !== 404) throw trouble;
      return { agent, items: [], others: (await ask("agents/newest", { limit: 24 }, signal)).items, unknown: trouble.message };
    }
  },
  draw(app, { agent, items, nothing, others, unknown }) {
    return h(
      "div",
      { class: "stack" },
      h("div", { class: "filters" }, textFilter(t("filter.agent"), agent, (name) => app.filter({ agent: name }))),
      unknown ? notice("quiet", inWords(unknown)) : null,
      others.length ? [h("p", { class: "note" }, t("opportunities.choose")), h("ul", { class: "chips" }, others.map((one) => h("li", { key: one.agent }, h("a", { href: app.link("opportunities", { agent: one.agent }) }, one.name ?? one.agent))))] : null,
      !agent && !others.length ? empty(t("opportunities.nobody")) : null,
      agent && !unknown ? [h("p", { class: "note" }, t("opportunities.of"), " ", agentLink(app, agent)), items.length ? h("ol", { class: "cards" }, items.map((one) => card(app, one))) : empty(inWords(nothing)), h("p", { class: "note" }, t("opportunities.left_out"))] : null,
    );
  },
};

const HOW = { "offers it": "offers", "could make it": "makes", "does not offer it": "lacks", there: "there" };

// Returns whose need it is and what they call it: an agent may have several.
function calledOf(ref) {
  const [agent, , ...subject] = ref.split("/");
  return `${agent} (${subject.join("/")})`;
}

function card(app, one) {
  return h(
    "li",
    { key: `${one.sort} ${one.name} ${one.through}`, class: "card pair" },
    h("h2", {}, t("opportunities.one_more", { unit: quantity(one.unit), name: one.name })),
    h("p", {}, tier(one.pressure.tier), " ", h("span", { class: `state how-${HOW[one.how]}` }, t(`opportunities.${HOW[one.how]}`))),
    h("p", {}, t("opportunities.goes"), " ", needLink(app, one.need, calledOf(one.need)), ` · ${kilometres(one.distance_km)}`),
    one.relieves === one.need ? null : h("p", {}, t("opportunities.relieves"), " ", needLink(app, one.relieves, calledOf(one.relieves))),
    h("p", { class: "note" }, t("opportunities.short", { short: quantity(one.short) }), one.how === "could make it" ? [" ", t("opportunities.by"), " ", h("code", {}, one.through)] : null),
  );
}
