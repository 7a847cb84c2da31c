// What is short, how the stream does, who joined, what was decided last.

import { h } from "../dom.js";
import { agentLink, bar, empty, section, state, table, when } from "../parts.js";
import { asRows, saidOf, shortened, spark, stacked } from "../plots.js";
import { ask } from "../server.js";
import { moment, number, percent, quantity, seconds, t } from "../words.js";

const SHOWN = 12;
const LAST = 6;
const LINES = 8; // things of which the past is drawn
const TIERS = [0, 1, 2, 3];

export const overview = {
  name: "overview",
  moves: () => true,
  async load(_, signal) {
    const [whole, shortage, joined, ready, past] = await Promise.all([
      ask("network", { limit: 1 }, signal),
      ask("shortage", {}, signal),
      ask("agents/newest", { limit: 6 }, signal),
      ask("readyz", {}, signal),
      ask("history", {}, signal),
    ]);
    const ledger = await ask("ledger", { after: Math.max(0, whole.ledger - LAST), limit: LAST }, signal);
    return { whole, shortage: shortage.items, joined: joined.items, ready, past, decided: ledger.items.reverse() };
  },
  draw(app, data) {
    return h(
      "div",
      { class: "overview" },
      headline(app, data),
      figures(app, data),
      h("div", { class: "split" }, h("div", { class: "stack" }, overTime(app, data.past), shortages(app, data.shortage)), h("div", { class: "stack" }, stream(app, data), happened(app, data.decided), joined(app, data.joined))),
    );
  },
};

function headline(app, { shortage }) {
  const short = shortage.filter((item) => item.short_needs);
  const needs = short.reduce((sum, item) => sum + item.short_needs, 0);
  const vital = short.reduce((sum, item) => sum + item.tiers.filter((row) => row.tier === 0).reduce((part, row) => part + row.short_needs, 0), 0);
  if (!needs) return h("p", { class: "headline good" }, t(shortage.length ? "overview.nothing_short" : "overview.silent"));
  return h(
    "p",
    { class: "headline" },
    h("a", { href: app.link("needs", { short: 1 }) }, t("overview.short", { count: needs })),
    " ",
    t("overview.of_things", { count: short.length }),
    vital ? [" ", h("a", { class: "vital", href: app.link("needs", { short: 1, tier: 0 }) }, t("overview.vital", { count: vital }))] : null,
  );
}

function figures(app, { whole, shortage }) {
  const open = (whole.proposals.proposed ?? 0) + (whole.proposals.promised ?? 0);
  const bound = ["committed", "delivered in part", "fulfilled"].reduce((sum, name) => sum + (whole.proposals[name] ?? 0), 0);
  const needs = shortage.reduce((sum, item) => sum + item.needs, 0);
  const rows = [
    [t("figure.waiting"), open, app.link("proposals")],
    [t("figure.committed"), bound, app.link("book")],
    [t("figure.needs"), needs, app.link("needs")],
    [t("figure.offers"), whole.offers, app.link("map")],
    [t("figure.agents"), whole.agents, app.link("map")],
  ];
  return h("dl", { class: "figures" }, rows.map(([label, value, href]) => h("div", { key: label }, h("dt", {}, h("a", { href }, label)), h("dd", {}, number(value)))));
}

function shortages(app, items) {
  const title = t("overview.shortage");
  if (!items.length) return section(title, empty(t("overview.no_needs")));
  const most = items.slice(0, SHOWN);
  return section(
    title,
    h("p", { class: "note" }, t("overview.shortage_note")),
    h("ul", { class: "shortages" }, most.map((item) => shortageOf(app, item))),
    items.length > SHOWN ? h("p", { class: "note" }, t("overview.more_things", { count: items.length - SHOWN })) : null,
  );
}

function shortageOf(app, item) {
  return h(
    "li",
    { key: `${item.sort}/${item.name}` },
    h("h3", {}, h("a", { href: app.link("needs", { resource: item.name }) }, item.name), item.sort === "process" ? h("span", { class: "sort" }, t("sort.process")) : null),
    h(
      "ul",
      { class: "tiers" },
      item.tiers.map((row) =>
        h(
          "li",
          { key: row.tier },
          h("span", { class: `tier tier-${row.tier}` }, t(`tier.${row.tier}`)),
          bar(1 - row.share_short, row.short_needs ? t("overview.short_of", { short: quantity(row.short), asked: quantity(row.asked) }) : t("overview.covered", { asked: quantity(row.asked) }), row.short_needs ? "short" : "covered"),
          h("span", { class: "who" }, row.short_needs ? t("overview.needs_short", { count: row.short_needs, needs: row.needs }) : t("overview.needs_met", { count: row.needs })),
        ),
      ),
    ),
  );
}

// How short things were as time went on: needs by tier, and the part of each thing that was in no plan.
function overTime(app, past) {
  const { time, short, things } = past;
  const title = t("past.title");
  if (time.length < 2) return section(title, empty(t("past.nothing")));
  const drawn = [...TIERS].reverse(); // the most urgent on top
  const picture = saidOf(time, "past.picture", { first: short.reduce((sum, row) => sum + row[0], 0), last: short.reduce((sum, row) => sum + row.at(-1), 0) });
  const some = things.slice(0, LINES);
  const lines = some.map((one) => h("li", { key: one.name }, h("a", { href: app.link("needs", { resource: one.name, short: 1 }) }, one.name), spark(time, one.share, saidOf(time, "past.spark", { name: one.name, first: percent(one.share[0]), last: percent(one.share.at(-1)) })), h("span", { class: "figure" }, percent(one.share.at(-1))), h("span", { class: "muted" }, pressure(one.pressure.at(-1)))));
  return section(
    title,
    h("p", { class: "legend" }, t("past.counted"), TIERS.map((tier) => h("span", { key: tier }, h("svg", { width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true" }, h("rect", { class: `area area-${tier}`, width: 14, height: 14, rx: 3 })), t(`tier.${tier}`)))),
    stacked(time, drawn.map((tier) => short[tier]), drawn.map((tier) => `area-${tier}`), picture),
    shortened(time).map(([from, to]) => h("p", { class: "note" }, t("past.gap", { from: moment(from), to: moment(to) }))),
    h("h3", {}, t("past.things")),
    h("p", { class: "note" }, t("past.things_note")),
    h("ul", { class: "sparks" }, lines),
    h(
      "details",
      { class: "more-why over-time" },
      h("summary", {}, t("past.table")),
      table(t("past.title"), [t("column.time"), ...TIERS.map((tier) => t(`tier.${tier}`)), ...some.map((one) => one.name)], asRows(time, (index) => [...TIERS.map((tier) => number(short[tier][index])), ...some.map((one) => percent(one.share[index]))]), { figures: [...TIERS, ...some.keys()].map((_, index) => index + 1), hidden: true, wide: true }),
    ),
  );
}

function pressure(told) {
  return told ? t("past.pressure", { tier: t(`tier.${told[0]}`), count: told[1] }) : "";
}

function stream(app, { ready, whole }) {
  const lag = app.stream.heardMs ? Math.max(0, (Date.now() - app.stream.heardMs) / 1000) : null;
  const behind = app.stream.position === null ? null : Math.max(0, ready.entries - 1 - app.stream.position) + (ready.waiting ?? 0);
  const newest = app.stream.records.at(-1);
  const rows = [
    [t("health.state"), ready.ready ? t("health.ready") : ready.why],
    [t("health.entries"), number(ready.entries)],
    [t("health.heard"), lag === null ? "–" : seconds(lag < 1 ? 0 : Math.round(lag))],
    [t("health.behind"), behind === null ? "–" : t("health.records", { count: behind })],
    [t("health.age"), newest ? when(newest.logtime) : "–"],
    [t("health.cycle"), ready.cycle_age_seconds === null ? t("health.none") : when(new Date(Date.now() - ready.cycle_age_seconds * 1000).toISOString())],
    [t("health.log_time"), when(whole.log_time)],
    [t("health.charter"), h("a", { href: app.link("book", { show: "rules" }) }, h("code", {}, whole.charter))],
  ];
  return section(t("health.title"), h("dl", { class: "facts" }, rows.map(([label, value]) => h("div", { key: label }, h("dt", {}, label), h("dd", {}, value)))));
}

function happened(app, records) {
  if (!records.length) return null;
  return section(
    t("overview.decided"),
    h(
      "ul",
      { class: "news" },
      records.map((record) => h("li", { key: record.number }, h("span", {}, state(record.kind)), h("span", { class: "when" }, when(record.time)), h("span", { class: "more-of" }, agentLink(app, record.agent), " ", h("a", { class: "ref", href: app.link("proposals", { id: record.proposal }) }, record.proposal.slice(0, 8))))),
    ),
  );
}

function joined(app, agents) {
  if (!agents.length) return null;
  return section(
    t("overview.joined"),
    h("ul", { class: "news" }, agents.map((one) => h("li", { key: one.agent }, agentLink(app, one.agent, one.name), h("span", { class: "when" }, when(one.joined)), h("span", { class: "more-of muted" }, t("overview.says", { offers: one.says.offers, needs: one.says.needs }))))),
  );
}

