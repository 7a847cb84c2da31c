// Needs, the short and urgent ones first, each with the sentence why.

import { h } from "../dom.js";
import { agentLink, bar, button, choice, empty, needLink, notice, state, table, textFilter, tick, tier, when } from "../parts.js";
import { ask } from "../server.js";
import { enoughOf, inWords, kindOf, proposalOf, reasonsOf, ruleText, told as toldOf, translated } from "../telling.js";
import { kilometres, number, quantity, t } from "../words.js";

const TIERS = ["0", "1", "2", "3"];
const AT_ONCE = 40;
const TOLD_AHEAD = 6; // reasons that are asked for before anybody opens the need

const reasons = new Map(); // need -> what the server said of it, or the trouble
const underWay = new Map(); // need -> the question why, until it is answered
const open = new Set();
let round = 0; // of asking

export const needs = {
  name: "needs",
  choices: { tier: TIERS },
  moves: () => true,
  async load(app, signal) {
    const { resource, tier: urgency, short, q, need, more } = app.query;
    const limit = AT_ONCE * Number(more ?? 1);
    const [page, shortage] = await Promise.all([
      ask("shortage/needs", { limit: Math.min(500, limit), resource, tier: urgency, short: short ? "true" : "", q: need ?? q }, signal),
      ask("shortage", {}, signal),
    ]);
    if (need) open.add(need);
    tellAhead(app, page.items, signal);
    return { ...page, names: shortage.items.map((item) => item.name).sort() };
  },
  draw(app, page) {
    return h("div", { class: "stack" }, filters(app, page), summary(app, page), page.items.length ? list(app, page) : empty(t("needs.none")));
  },
};

function filters(app, { names }) {
  const { query } = app;
  return h(
    "div",
    { class: "filters" },
    textFilter(t("filter.text"), query.need ?? query.q, (q) => app.filter({ q, need: "", more: "" })),
    choice(t("filter.thing"), query.resource, [["", t("filter.all")], ...names.map((name) => [name, name])], (resource) => app.filter({ resource, more: "" })),
    choice(t("filter.tier"), query.tier, [["", t("filter.all")], ...TIERS.map((each) => [each, t(`tier.${each}`)])], (urgency) => app.filter({ tier: urgency, more: "" })),
    tick(t("needs.only_short"), Boolean(query.short), (on) => app.filter({ short: on ? 1 : "", more: "" })),
  );
}

function summary(app, page) {
  return h("p", { class: "note", role: "status" }, t("needs.summary", { count: page.total, short: page.short }));
}

function list(app, page) {
  return [
    h("ol", { class: "needs" }, page.items.map((need) => item(app, need))),
    page.total > page.items.length && page.items.length < 500
      ? button(t("more", { count: Math.min(AT_ONCE, page.total - page.items.length) }), () => app.filter({ more: Number(app.query.more ?? 1) + 1 }), { class: "more" })
      : null,
    page.total > page.items.length && page.items.length >= 500 ? notice("quiet", t("needs.narrow", { count: page.total - page.items.length })) : null,
  ];
}

function item(app, need) {
  const short = need.short.value > 0;
  const told = reasons.get(need.ref);
  const toggled = (event) => {
    // An element made open says so too, also one that is only made to bring another up to date: nobody toggled that.
    if (event.target.open === open.has(need.ref)) return;
    if (event.target.open) open.add(need.ref);
    else open.delete(need.ref);
    if (event.target.open) tell(app, need.ref);
  };
  return h(
    "li",
    { key: need.ref },
    h(
      "details",
      { open: open.has(need.ref), class: short ? "need short" : "need", on: { toggle: toggled } },
      h(
        "summary",
        {},
        tier(need.tier_used, need.tier),
        h("span", { class: "what" }, h("strong", {}, quantity(need.asked)), " ", need.resource ?? need.process),
        h("span", { class: "for" }, need.label ?? need.agent),
        bar(need.share_covered, short ? t("needs.short", { short: quantity(need.short) }) : t("needs.met"), short ? "short" : "covered"),
        h("span", { class: "due" }, need.due ? [t("needs.due"), " ", when(need.due)] : need.end ? [t("needs.until"), " ", when(need.end)] : ""),
        short && told?.reasons ? h("span", { class: "why", lang: reasonsOf(told).lang }, sentence(reasonsOf(told).said)) : null,
      ),
      open.has(need.ref) ? inside(app, need, told) : null,
    ),
  );
}

// The first reason only says that it is short; the next ones say why.
function sentence(said) {
  const telling = said.slice(1).filter((each) => !each.startsWith("it gets a part"));
  return (telling.length ? telling : said).slice(0, 2).join("; ");
}

function inside(app, need, told) {
  if (told === undefined) return h("p", { class: "loading" }, t("loading"));
  const head = h("p", { class: "note" }, h("code", {}, need.ref), " · ", t("needs.by"), " ", agentLink(app, need.agent, need.label), " · ", t("needs.said"), " ", when(need.said));
  if (told.trouble) return [head, notice("trouble", told.trouble.message ? inWords(told.trouble.message) : t("trouble.unreachable"))];
  return h("div", { class: "inside" }, head, sentences(t("needs.why"), reasonsOf(told)), served(app, told.served), enough(app, need, told), sentences(t("needs.change"), { said: told.could_change.map(inWords) }), misses(told), users(app, told.users), history(app, need.ref, told));
}

// Offers that a rule keeps away, and names that are nearly the same.
function misses({ hidden, near }) {
  if (!hidden?.length && !near?.length) return null;
  const rows = (hidden ?? []).map((one) => [ruleText(one.why), number(one.offers), quantity(one.free), one.nearest_km === null ? "–" : kilometres(one.nearest_km)]);
  const names = (near ?? []).map((one) => [h("code", {}, one.name), number(one.offered_by), "–", "–"]);
  return table(t("needs.misses"), [t("column.why"), t("column.offers"), t("column.unpromised"), t("column.nearest")], [...rows, ...names], { figures: [1, 2, 3] });
}

function history(app, ref, told) {
  const { past } = told;
  if (!past) return h("div", { class: "acts" }, button(t("needs.history"), () => askPast(app, ref)));
  const rows = [...past.items].reverse().map(({ position, logtime, event }) => h("li", { key: position }, h("span", { class: "when" }, when(logtime)), " ", h("span", { class: "kind" }, t(`kind.${kindOf(event)}`)), " ", h("span", {}, event.source.slice(event.source.indexOf(":") + 1), ": ", toldOf(event)), proposalOf(event) ? [" ", h("a", { class: "ref", href: app.link("proposals", { id: proposalOf(event) }) }, proposalOf(event).slice(0, 8))] : null));
  return h(
    "div",
    { class: "said" },
    h("h3", {}, t("needs.history")),
    rows.length ? h("ol", { class: "plain past" }, rows) : h("p", { class: "note" }, t("needs.history_none")),
    past.more ? h("p", { class: "note" }, t("needs.history_more", { count: past.more })) : null,
    past.since > 0 ? h("p", { class: "note" }, t("needs.history_older", { position: past.since })) : null,
  );
}

async function askPast(app, ref) {
  try {
    const past = await ask(`needs/${encodeURIComponent(ref)}/history`);
    reasons.set(ref, { ...reasons.get(ref), past });
  } catch (trouble) {
    app.tell(trouble.message ? (translated(trouble.message) ?? trouble.message) : t("trouble.unreachable"), { bad: true });
  }
  app.redraw();
}

function sentences(title, { lang, said }) {
  if (!said?.length) return null;
  return h("div", { class: "said" }, h("h3", {}, title), h("ul", { lang }, said.map((each) => h("li", {}, each))));
}

function served(app, lines) {
  if (!lines?.length) return null;
  const columns = [t("column.from"), t("column.quantity"), t("column.state"), t("column.distance"), t("column.proposal")];
  const rows = lines.map((line) => [agentLink(app, line.provider), quantity(line.quantity), state(line.state), kilometres(line.distance_km), h("a", { class: "ref", href: app.link("proposals", { id: line.proposal }) }, line.proposal.slice(0, 8))]);
  return table(t("needs.served"), columns, rows, { figures: [1, 3] });
}

function enough(app, need, told) {
  if (told.lifting) return lifting(app, told.lifting);
  if (told.lifting === null || need.short.value === 0) return null;
  const act = (event) => {
    event.target.disabled = true;
    tell(app, need.ref, true);
  };
  return h("div", { class: "acts" }, button(t("needs.ask_enough"), act), h("span", { class: "note" }, t("needs.ask_note")));
}

function lifting(app, found) {
  const blockers = found.blocking.slice(0, 8).map((one) => [needLink(app, one.need), quantity(one.quantity), t(`tier.${one.tier}`), number(one.level)]);
  return [
    sentences(t("needs.enough", { by: quantity(found.by) }), enoughOf(found)),
    blockers.length ? table(t("needs.blocked"), [t("column.need"), t("column.takes"), t("column.tier"), t("column.level")], blockers, { figures: [1, 3] }) : null,
    sentences(t("needs.unsaid"), { said: found.unsaid.map(inWords) }),
  ];
}

function users(app, rows) {
  if (!rows?.length) return null;
  const shown = rows.slice(0, 8).map((one) => [needLink(app, one.need), quantity(one.quantity), state(one.state), one.tier_used === null ? "–" : t(`tier.${one.tier_used}`)]);
  return table(t("needs.users", { count: rows.length }), [t("column.need"), t("column.takes"), t("column.state"), t("column.tier")], shown, { figures: [1] });
}

// Asks, one after another, why needs are short: the first few of the list where what they are short of changed, and those that are
// open, whose proposals are shown too. It ends when the list was read again, or another view is looked at.
async function tellAhead(app, items, signal) {
  round += 1; // what was said before stays until it is said anew
  const mine = round;
  const first = items.filter((need) => need.short.value > 0).slice(0, TOLD_AHEAD);
  const stale = (need) => reasons.get(need.ref)?.short?.value !== need.short.value;
  const changed = first.filter(stale);
  for (const need of items.filter((each) => open.has(each.ref) || changed.includes(each))) {
    await underWay.get(need.ref); // what was asked a moment ago may be the answer
    if (mine !== round || signal.aborted || app.view !== needs) return;
    if (open.has(need.ref) || stale(need)) await tell(app, need.ref);
  }
}

// What would lift it is asked for only when somebody wants to know: plans are tried for that, which takes a while.
async function tell(app, ref, whole = false) {
  const known = reasons.get(ref);
  if (known?.round === round && !known.trouble && !(whole && known.lifting === undefined)) return app.redraw();
  const mine = round;
  const asked = ask(`needs/${encodeURIComponent(ref)}/why`, { lift: whole ? "true" : "" });
  const ended = asked.catch(() => undefined).finally(() => underWay.get(ref) === ended && underWay.delete(ref));
  underWay.set(ref, ended);
  try {
    const told = await asked;
    const before = reasons.get(ref); // another answer may have come meanwhile: what only that one told stays
    const kept = before?.short?.value === told.short.value ? { lifting: before.lifting } : {};
    reasons.set(ref, { ...kept, past: before?.past, ...told, round: mine });
    if (before?.past) await askPast(app, ref);
  } catch (trouble) {
    reasons.set(ref, { past: reasons.get(ref)?.past, trouble, round: mine });
  }
  if (app.view === needs) app.redraw();
  return undefined;
}

