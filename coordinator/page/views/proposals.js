// A queue to work through: one card for each pair of partners, with who, what, when, how far, until when, and why.

import { h } from "../dom.js";
import { agentLink, button, choice, empty, field, needLink, notice, state, table, textFilter, tick, tier, when } from "../parts.js";
import { Trouble, all, ask, say } from "../server.js";
import { translated } from "../telling.js";
import { day, kilometres, left, number, percent, quantity, spell, t } from "../words.js";

const MOST = 1_000; // proposals of each state that are held here at once
const CARDS = 30;
const REJECTED = 3; // of each list of what else was possible; how many there are is said
const ASKED_AGAIN_MS = [0, 1_000, 3_000, 6_000]; // after a reply was lost
const OPEN = new Set(["proposed", "promised"]);
const STATES = ["proposed", "promised", "committed", "delivered in part", "fulfilled", "broken"];

const told = new Map(); // proposal -> what else was possible, what the plan would be without it, or the trouble
const forms = new Map(); // proposal and agent -> which form is open: decline or counter
const busy = new Set();
let pressedFor = ""; // the answers for which "accept all" was pressed once: for any others it is asked again

export const proposals = {
  name: "proposals",
  choices: { state: STATES },
  moves: (record) => record.stream !== "signal",
  async load(app, signal) {
    const { agent, resource, state: one, id } = app.query;
    if (id) return { items: [await ask(`proposals/${encodeURIComponent(id)}`, {}, signal)], more: false };
    const asked = one ? [one] : ["proposed", "promised"];
    const pages = await Promise.all(asked.map((each) => all("proposals", { state: each, agent, resource }, MOST, signal)));
    return { items: pages.flatMap((page) => page.items), more: pages.some((page) => page.more) };
  },
  draw(app, { items, more }) {
    const { query } = app;
    const wanted = items.filter((one) => (!query.mine || one.parties?.some((party) => app.session.speaker(party))) && matches(one, query.q));
    const pairs = byPair(wanted);
    const cards = CARDS * Number(query.more ?? 1);
    const shown = pairs.slice(0, cards);
    return h(
      "div",
      { class: "stack" },
      filters(app),
      app.session.active ? null : h("p", { class: "notice quiet" }, t("proposals.sign_in"), " ", button(t("sign_in"), app.signIn, { class: "quiet" })),
      h("div", { class: "bar-line" }, h("p", { class: "note", role: "status" }, t("proposals.summary", { count: wanted.length, pairs: pairs.length })), acceptAll(app, shown.flatMap(([, some]) => some))),
      pairs.length ? h("p", { class: "note keys" }, t("proposals.keys")) : null,
      more ? notice("quiet", t("proposals.narrow", { count: MOST })) : null,
      pairs.length ? h("ol", { class: "cards", on: { keydown: walk } }, shown.map(([key, some]) => card(app, key, some))) : empty(query.id ? t("proposals.gone") : t("proposals.none")),
      pairs.length > cards ? button(t("more", { count: Math.min(CARDS, pairs.length - cards) }), () => app.filter({ more: Number(query.more ?? 1) + 1 }), { class: "more" }) : null,
    );
  },
};

function matches(one, text) {
  if (!text) return true;
  const wanted = text.toLowerCase();
  return [one.proposal, ...(one.parties ?? []), ...(one.lines ?? []).map((line) => line.resource)].some((each) => each.toLowerCase().includes(wanted));
}

// The most urgent pair first; among equals the one whose time is up first.
function byPair(items) {
  const pairs = new Map();
  for (const one of items) {
    const key = one.lines ? `${one.lines[0].provider} ${one.lines[0].receiver}` : one.proposal;
    pairs.set(key, [...(pairs.get(key) ?? []), one]);
  }
  const urgency = ([, some]) => Math.min(...some.flatMap((one) => one.reasons?.lines?.map((reason) => reason.tier_used ?? 9) ?? [9]));
  const expiry = ([, some]) => some.map((one) => one.expires ?? "").sort()[0];
  return [...pairs].sort((one, other) => urgency(one) - urgency(other) || expiry(one).localeCompare(expiry(other)) || one[0].localeCompare(other[0]));
}

function filters(app) {
  const { query } = app;
  return h(
    "div",
    { class: "filters" },
    textFilter(t("filter.text"), query.id ?? query.q, (q) => app.filter({ q, id: "", more: "" })),
    choice(t("filter.state"), query.state, [["", t("filter.open")], ...STATES.map((name) => [name, t(`state.${name}`)])], (name) => app.filter({ state: name, id: "", more: "" })),
    textFilter(t("filter.agent"), query.agent, (agent) => app.filter({ agent, id: "", more: "" })),
    textFilter(t("filter.thing"), query.resource, (resource) => app.filter({ resource, id: "", more: "" })),
    tick(t("proposals.mine"), Boolean(query.mine), (on) => app.filter({ mine: on ? 1 : "", id: "", more: "" })),
  );
}

function acceptAll(app, shown) {
  const open = shown.flatMap((one) => mine(app, one).filter((party) => !one.accepted_by.includes(party)).map((party) => [one, party]));
  if (open.length < 2) return null;
  const these = open.map(([one, party]) => `${one.proposal} ${party}`).join();
  const sure = pressedFor === these;
  const press = (what) => {
    pressedFor = what;
    app.redraw();
  };
  const act = () => {
    press(sure ? "" : these);
    return sure ? several(app, open) : undefined;
  };
  return h("span", { class: "acts" }, button(sure ? t("proposals.sure", { count: open.length }) : t("proposals.accept_all", { count: open.length }), act, { class: sure ? "main" : "" }), sure ? button(t("cancel"), () => press(""), { class: "quiet" }) : null);
}

function mine(app, one) {
  return OPEN.has(one.state) ? one.parties.filter((party) => app.session.speaker(party)) : [];
}

// -- a card ----------------------------------------------------------------------------------------------------------------

function card(app, key, some) {
  const [{ lines }] = some;
  if (!lines) return h("li", { key, class: "card" }, h("p", {}, h("code", {}, some[0].proposal), " ", state(some[0].state)));
  const { provider, receiver } = lines[0];
  return h(
    "li",
    { key, class: "card pair", tabindex: "0", "aria-label": t("proposals.pair", { provider, receiver }) },
    h("h2", { class: "partners" }, agentLink(app, provider), h("span", { class: "arrow", "aria-label": t("proposals.to") }, " → "), agentLink(app, receiver)),
    some.map((one) => proposal(app, one)),
  );
}

function proposal(app, one) {
  return h(
    "article",
    { key: one.proposal, class: "proposal" },
    h("ul", { class: "lines" }, one.lines.map((line, index) => lineOf(app, line, one, index))),
    h(
      "p",
      { class: "note" },
      state(one.state),
      one.accepted_by.length ? [" · ", t("proposals.accepted_by", { who: one.accepted_by.join(", ") })] : null,
      OPEN.has(one.state) ? [" · ", t("proposals.expires"), " ", when(one.expires, "left")] : null,
      " · ",
      h("a", { class: "ref", href: app.link("proposals", { id: one.proposal }), title: one.proposal }, one.proposal.slice(0, 8)),
    ),
    h("details", { class: "more-why", on: { toggle: (event) => opened(app, one, event.target) } }, h("summary", { "data-act": "why" }, t("proposals.why")), why(app, one)),
    actions(app, one),
  );
}

// An opened card takes as many rows as others fill beside it: else all there would stand empty.
const rows = new ResizeObserver((sizes) => {
  for (const { target } of sizes) {
    const list = target.parentNode;
    if (!list) continue;
    const heights = [...list.children].map((one) => one.offsetHeight).filter((height) => height > 0); // a hidden card has none
    if (!heights.length) continue;
    const gap = parseFloat(getComputedStyle(list).rowGap) || 0; // “normal” is none
    target.style.gridRow = `span ${Math.max(1, Math.floor((target.offsetHeight + gap) / (Math.min(...heights) + gap)))}`;
  }
});

function opened(app, one, details) {
  rows.observe(details.closest(".card"));
  if (details.open) askAlternatives(app, one);
}

const slack = (line) => (line.due && left(line.due) ? ` · ${t("proposals.spare", { time: left(line.due) })}` : "");

// A line between others than the first two, as where something is made by several, says between whom, and what it goes into.
function lineOf(app, line, one, index) {
  const reason = one.reasons?.lines?.[index];
  const { provider, receiver } = one.lines[0];
  const others = line.into || line.provider !== provider || line.receiver !== receiver;
  return h(
    "li",
    { key: index },
    h("p", {}, h("strong", {}, quantity(line.quantity)), " ", line.resource, reason?.tier_used === undefined ? null : [" ", tier(reason.tier_used, reason.tier_stated)], reason?.late ? [" ", h("span", { class: "tier late" }, t("proposals.late"))] : null),
    h(
      "p",
      { class: "note" },
      kilometres(line.distance_km),
      line.due && !line.into ? ` · ${t("proposals.due", { day: day(line.due) })}${slack(line)}` : "",
      others ? [" · ", agentLink(app, line.provider), line.into && ["use", "consume"].includes(line.action) ? null : [" → ", agentLink(app, line.receiver)], line.into ? `, ${t("proposals.into", { recipe: line.into.split("/").at(-1) })}` : null] : null,
    ),
  );
}

// Why something is made: for whom, what it takes in all, and how near the plan of making is to the best there could be.
function makingOf(app, { needs, footprint = {}, plan }) {
  const takes = [
    footprint.hours ? quantity({ value: footprint.hours, unit: "h" }) : null,
    footprint.kg ? quantity({ value: footprint.kg, unit: "kg" }) : null,
    footprint.kg_km ? `${number(footprint.kg_km, 0)} kg·km` : null,
  ].filter(Boolean);
  return [
    h("li", { key: "for" }, t("making.for"), " ", needs.map((ref, index) => [index ? ", " : "", needLink(app, ref)])),
    takes.length ? h("li", { key: "takes" }, t("making.takes", { what: takes.join(", ") })) : null,
    plan?.gap === undefined ? null : h("li", { key: "gap" }, t("making.gap", { share: percent(plan.gap) })),
  ];
}

function why(app, one) {
  const said = one.reasons?.making ? makingOf(app, one.reasons.making) : one.lines.map((line, index) => h("li", { key: index }, needLink(app, line.need), ": ", reasonOf(one.reasons?.lines?.[index] ?? {}, one.reasons?.fairness), " ", t("proposals.effort", { effort: number(line.effort) })));
  return h("div", { class: "inside" }, h("ul", {}, said), alternatives(app, one, told.get(one.proposal)), h("p", { class: "note" }, t("proposals.made"), " ", when(one.made), " · ", t("proposals.charter"), " ", h("a", { href: app.link("book", { show: "rules" }) }, h("code", {}, one.charter))));
}

function reasonOf(reason, fairness) {
  const said = [];
  if (reason.level !== undefined && fairness !== "off") said.push(t("reason.level", { count: reason.level }));
  said.push(reason.pressure ? t("reason.pressure", { tier: t(`tier.${reason.pressure.tier}`), count: reason.pressure.level }) : t("reason.no_pressure"));
  if (reason.mass) said.push(t("reason.mass"));
  return said.join(" ");
}

// -- what else was possible ------------------------------------------------------------------------------------------------

async function askAlternatives(app, one) {
  const known = told.get(one.proposal);
  if (known && !known.trouble && known.state === one.state) return;
  await tellOf(app, one, { state: one.state }, "alternatives");
}

async function tellOf(app, one, known, what) {
  told.set(one.proposal, { ...known, waiting: true });
  app.redraw();
  try {
    const found = await ask(`proposals/${one.proposal}/${what}`);
    told.set(one.proposal, { ...known, [what]: found });
  } catch (trouble) {
    told.set(one.proposal, { ...known, trouble: sentence(trouble) });
  }
  app.redraw();
}

function alternatives(app, one, known) {
  if (!known) return null;
  if (!known.alternatives) return known.trouble ? notice("quiet", known.trouble) : h("p", { class: "loading" }, t("loading"));
  const { lines, unsaid, levels } = known.alternatives;
  return [
    unsaid ? null : lines.map((line, index) => h("div", { key: `line-${index}`, class: "said" }, lines.length > 1 ? h("h3", {}, `${quantity(one.lines[index].quantity)} ${one.lines[index].resource}`) : null, wayOf(line, one.lines[index]), rejected(app, line, levels))),
    unsaid ? h("p", { class: "note" }, t(`alternatives.${unsaid === "too large" ? "too_large" : unsaid}`)) : change(app, one, known, lines),
  ];
}

function wayOf(line, { distance_km: far }) {
  const spare = line.slack_seconds === null ? t("alternatives.no_due") : line.slack_seconds < 0 ? t("alternatives.late", { time: spell(-line.slack_seconds) }) : t("alternatives.slack", { time: spell(line.slack_seconds) });
  const taken = line.slack_seconds === null ? null : ` ${line.way_seconds ? t("alternatives.way_takes", { time: spell(line.way_seconds) }) : t("alternatives.way_takes_none")}`;
  return h("p", {}, t(`alternatives.way_${line.way}`, { far: kilometres(far) }), " ", spare, taken);
}

function rejected(app, line, levels) {
  const sources = line.instead_from.slice(0, REJECTED).map((one) => Object.assign([agentLink(app, one.agent), kilometres(one.distance_km), costs(one, levels)], { key: one.ref }));
  const takers = line.wanted_by.slice(0, REJECTED).map((one) => Object.assign([needLink(app, one.ref, one.agent), quantity(one.short), kilometres(one.distance_km), costs(one, levels)], { key: one.ref }));
  return [
    sources.length ? table(t("alternatives.sources", { count: line.sources }), [t("column.from"), t("column.distance"), t("column.costs")], sources, { figures: [1] }) : h("p", { class: "note" }, t("alternatives.no_sources", { count: line.sources })),
    takers.length ? table(t("alternatives.takers", { count: line.takers }), [t("column.need"), t("column.lacks"), t("column.distance"), t("column.costs")], takers, { figures: [1, 2] }) : h("p", { class: "note" }, t("alternatives.no_takers")),
  ];
}

// What a unit by another way would cost more than the plan: more way for the same, or somebody more urgent going without.
function costs({ effort_km: far, later }, levels) {
  if (far !== null) return far < 0.05 ? t("alternatives.same") : t("alternatives.farther", { far: kilometres(far) });
  return later >= levels ? t("alternatives.tiers", { count: Math.max(1, Math.round(later / levels)) }) : t("alternatives.levels", { count: later });
}

function change(app, one, known, lines) {
  const nearest = lines.flatMap((line) => [...line.instead_from, ...line.wanted_by].filter((each) => each.effort_km !== null)).sort((a, b) => a.effort_km - b.effort_km)[0];
  return h(
    "div",
    { class: "said" },
    h("h3", {}, t("alternatives.change")),
    nearest ? h("p", {}, t(nearest.effort_km < 0.05 ? "alternatives.tied" : "alternatives.nearer", { who: nearest.agent, far: kilometres(nearest.effort_km) })) : null,
    known.without ? without(app, known.without) : h("div", { class: "acts" }, button(t("alternatives.ask_without"), () => tellOf(app, one, known, "without"), { disabled: Boolean(known.waiting) }), known.trouble ? h("span", { class: "note" }, known.trouble) : null),
  );
}

function without(app, found) {
  const rests = found.needs.map((rest) =>
    h(
      "p",
      { key: rest.need },
      needLink(app, rest.need),
      ": ",
      t("alternatives.then", { now: quantity(rest.now), then: quantity(rest.then) }),
      rest.sources.map((source) => [" ", agentLink(app, source.agent), ` ${quantity(source.quantity)}, ${kilometres(source.distance_km)};`]),
    ),
  );
  const more = found.effort_then - found.effort_now;
  return [rests, h("p", {}, t("alternatives.others", { rise: found.others_rise, fall: found.others_fall }), " ", t(more < 0 ? "alternatives.effort_less" : "alternatives.effort_more", { effort: number(Math.abs(more), 1), whole: number(found.effort_now, 0) }))];
}

// -- answering -------------------------------------------------------------------------------------------------------------

function actions(app, one) {
  return mine(app, one).map((party) => {
    const form = forms.get(`${one.proposal} ${party}`);
    const waiting = busy.has(one.proposal);
    if (one.accepted_by.includes(party)) {
      return h("div", { class: "acts", key: party }, h("span", { class: "muted" }, t("proposals.you_accepted", { agent: party })), button(t("proposals.take_back"), () => takeBack(app, one, party), { disabled: waiting }));
    }
    return h(
      "div",
      { key: party },
      h(
        "div",
        { class: "acts" },
        h("span", { class: "muted as" }, t("proposals.as", { agent: party })),
        button(t("proposals.accept"), () => accept(app, one, party), { class: "main", disabled: waiting, "data-act": "accept" }),
        button(t("proposals.decline"), () => toggle(app, one, party, "decline"), { disabled: waiting, "aria-expanded": form === "decline" ? "true" : "false", "data-act": "decline" }),
        one.lines.length === 1 ? button(t("proposals.counter"), () => toggle(app, one, party, "counter"), { disabled: waiting, "aria-expanded": form === "counter" ? "true" : "false", "data-act": "counter" }) : null,
      ),
      form === "decline" ? declineForm(app, one, party) : null,
      form === "counter" ? counterForm(app, one, party) : null,
    );
  });
}

function toggle(app, one, party, form) {
  const key = `${one.proposal} ${party}`;
  if (forms.get(key) === form) forms.delete(key);
  else forms.set(key, form);
  app.redraw();
}

function declineForm(app, one, party) {
  const send = (event) => {
    event.preventDefault();
    const reason = event.target.elements.reason.value.trim();
    answer(app, one, party, { answer: "decline", ...(reason ? { reason } : {}) }, t("proposals.declined", { agent: party }));
  };
  return h("form", { class: "line", on: { submit: send } }, field(t("proposals.reason"), h("input", { name: "reason", type: "text", maxlength: "500", autocomplete: "off" })), h("button", { type: "submit" }, t("proposals.decline_now")));
}

function counterForm(app, one, party) {
  const { quantity: asked } = one.lines[0];
  const send = (event) => {
    event.preventDefault();
    const { amount, reason } = event.target.elements;
    const said = { answer: "counter", quantity: { value: Number(amount.value), unit: asked.unit }, ...(reason.value.trim() ? { reason: reason.value.trim() } : {}) };
    answer(app, one, party, said, t("proposals.countered", { agent: party }));
  };
  return h(
    "form",
    { class: "line", on: { submit: send } },
    field(t("proposals.amount", { asked: quantity(asked) }), h("input", { name: "amount", type: "number", min: "0", max: String(asked.value), step: "any", required: true })),
    field(t("proposals.reason"), h("input", { name: "reason", type: "text", maxlength: "500", autocomplete: "off" })),
    h("button", { type: "submit" }, t("proposals.counter_now")),
  );
}

function accept(app, one, party) {
  return answer(app, one, party, { answer: "accept" }, t("proposals.accepted", { agent: party }), () => takeBack(app, one, party));
}

async function answer(app, one, party, said, done, undo) {
  busy.add(one.proposal);
  app.redraw();
  try {
    await speak(app, one, party, { proposal: one.proposal, ...said });
    forms.delete(`${one.proposal} ${party}`);
    const now = await ask(`proposals/${one.proposal}`).catch(() => ({})); // it was taken, whatever came between since
    app.tell(now.state === "committed" ? t("proposals.committed") : done, { undo: now.state === "promised" ? undo : undefined });
  } catch (trouble) {
    app.tell(sentence(trouble), { bad: true });
  }
  busy.delete(one.proposal);
  app.reload();
}

async function takeBack(app, one, party) {
  busy.add(one.proposal);
  try {
    await speak(app, one, party, null);
    app.tell(t("proposals.taken_back", { agent: party }));
  } catch (trouble) {
    app.tell(sentence(trouble), { bad: true });
  }
  busy.delete(one.proposal);
  app.reload();
}

async function several(app, open) {
  let done = 0;
  const wrong = [];
  for (const [one, party] of open) {
    try {
      await speak(app, one, party, { proposal: one.proposal, answer: "accept" });
      done += 1;
    } catch (trouble) {
      wrong.push(sentence(trouble));
      if (trouble.code === "lost") break;
    }
  }
  app.tell(t("proposals.all_accepted", { count: done }));
  if (wrong.length) app.tell(t("proposals.some_refused", { count: wrong.length, why: wrong[0] }), { bad: true });
  app.reload();
}

// Says it. Where the reply was lost, what was said may have been taken all the same: the book tells.
async function speak(app, one, party, said) {
  try {
    await say(app.session.speaker(party), "answer", one.proposal, said);
  } catch (trouble) {
    if (trouble.code !== "unreachable") throw trouble;
    const now = await stands(one);
    if (now === null) throw new Trouble(0, "lost", t("proposals.lost"));
    if (!wasTaken(now, party, said)) throw new Trouble(0, "lost", t("proposals.not_taken", { agent: party, state: t(`state.${now.state}`) }));
  }
}

// Returns the proposal as it stands, however often one has to ask; null where nobody answers for a while.
async function stands(one) {
  for (const pause of ASKED_AGAIN_MS) {
    await new Promise((done) => setTimeout(done, pause));
    const now = await ask(`proposals/${one.proposal}`).catch(() => null);
    if (now) return now;
  }
  return null;
}

function wasTaken({ state: now, accepted_by: accepted = [] }, party, said) {
  const holds = accepted.includes(party);
  if (said === null) return !holds;
  return said.answer === "accept" ? holds : now === (said.answer === "decline" ? "declined" : "countered");
}

function sentence(trouble) {
  return trouble instanceof Trouble && trouble.message ? (translated(trouble.message) ?? trouble.message) : t("trouble.unreachable");
}

// Arrows go from card to card; A, D, C and W press the card's first button of that kind. Only while a card itself has the focus.
function walk(event) {
  const here = event.target;
  if (!here.classList.contains("pair") || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const act = { a: "accept", d: "decline", c: "counter", w: "why" }[event.key.toLowerCase()];
  const target = step ? here[step] : null;
  if (target) target.focus();
  else if (act) here.querySelector(`[data-act=${act}]`)?.click();
  else return;
  event.preventDefault();
}
