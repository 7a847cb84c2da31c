// Records and reasons in words, in the reader's language where their parts are known. What only the server can say stays in English.

import { h } from "./dom.js";
import { LANGUAGES, currentLanguage, kilometres, moment, quantity, t } from "./words.js";
import { formOf } from "./words/said.js";

const INSTANT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b/g;
const INSTANT_ALONE = new RegExp(`^${INSTANT.source}$`);

// Returns a sentence of the server in the reader's language where its form is known, else as it was said, marked as English.
export function inWords(sentence) {
  return translated(sentence) ?? h("span", { lang: "en" }, dated(sentence));
}

// Returns a sentence with its instants as the reader's clock and calendar have them.
function dated(sentence) {
  return sentence.replace(INSTANT, moment);
}

const FIGURE = /^\d{1,3}(,\d{3})*(\.\d+)?$/; // as the server writes one: that of another language looks otherwise

export function translated(sentence) {
  const form = currentLanguage() === "en" ? undefined : formOf(sentence);
  if (!form) return undefined;
  const { state, rule, dimension, ...values } = form.values;
  for (const [name, value] of Object.entries(values)) values[name] = FIGURE.test(value) ? Number(value.replaceAll(",", "")) : value.replace(INSTANT_ALONE, moment);
  if (rule) values.rule = ruleText(rule);
  if (dimension) values.dimension = `dimension.${dimension}` in LANGUAGES.en ? t(`dimension.${dimension}`) : dimension;
  if (state) values.state = `state.${state}` in LANGUAGES.en ? t(`state.${state}`) : state;
  return t(`said.${form.name}`, values);
}

export const kindOf = (event) => event.type.split(".")[1];

// Returns what a record says, in one line.
export function told({ type, subject, data }) {
  const kind = type.split(".")[1];
  if (data === null) return kind === "answer" ? t("signals.takes_back", { what: subject.slice(0, 8) }) : t("signals.withdraws", { what: kind === "proposal" ? subject.slice(0, 8) : subject });
  const amount = data.quantity ?? data.effort;
  if (kind === "answer") return [t(`answer.${data.answer}`), amount ? ` ${quantity(amount)}` : "", data.reason ? ` – ${data.reason}` : ""];
  if (kind === "proposal") return [`${data.lines[0].provider} → ${data.lines[0].receiver}: ${quantity(data.lines[0].quantity)} ${data.lines[0].resource}`];
  if (kind === "ledger") return [`${data.agent}: `, t(`state.${data.kind}`), data.why ? [" – ", inWords(data.why)] : ""];
  if (kind === "report") return [data.action, amount ? ` ${quantity(amount)}` : "", data.note ? ` – ${data.note}` : ""];
  if (kind === "route") return [`→ ${data.to}`];
  if (kind === "agent") return data.name ?? "";
  return [amount ? `${quantity(amount)} ` : "", data.resource ?? data.process ?? data.recipe ?? ""];
}

export function proposalOf({ type, subject, data }) {
  const kind = type.split(".")[1];
  return kind === "proposal" || kind === "answer" ? subject : (data?.proposal ?? data?.commitment);
}

// The rules that keep an offer from a need, as the server words them.
const RULES = {
  "an agent's own offer": "own",
  "another thing, which the need does not accept instead": "other_thing",
  "counted in units that do not convert, such as pieces and kilograms": "dimension",
  "the machines do not have what the work requires, or do not say so": "limits",
  "their windows do not meet": "window",
  "no route and no two known places connect them": "no_route",
  "farther than a radius of the offer, the need or the charter": "too_far",
  "one of them declined this pair": "declined",
  "the largest possible part is below a minimum": "minimum",
};

export function ruleText(why) {
  return why in RULES ? t(`hidden.${RULES[why]}`) : why;
}

// Returns why a need is short, as sentences: the server's own in English, in other languages made of what they are made of.
export function reasonsOf(why) {
  if (currentLanguage() === "en") return { lang: "en", said: why.reasons.map(dated) };
  if (!why.standing || why.short.value === 0) return why.standing ? { said: [t("why.all")] } : oneByOne(why.reasons);
  const said = [t("why.short", { short: quantity(why.short), asked: quantity(why.asked) })];
  if (!why.reachable_offers && !why.hidden.length) return oneByOne(why.reasons);
  for (const kept of why.hidden) said.push(t("why.hidden", { count: kept.offers, free: quantity(kept.free), rule: ruleText(kept.why) }));
  if (why.reachable_offers) said.push(t("why.reached", { count: why.reachable_offers, free: quantity(why.reachable_free) }));
  for (const [tier, users] of byTier(why.users)) said.push(t("why.users", { count: users.length, tier: t(`tier.${tier}`) }));
  if (why.reachable_spare.value) said.push(t("why.spare", { spare: quantity(why.reachable_spare) }));
  return { said };
}

function oneByOne(sentences) {
  const said = sentences.map((each) => translated(each));
  return { lang: said.includes(undefined) ? "en" : undefined, said: said.map((each, index) => each ?? sentences[index]) };
}

function byTier(users) {
  const tiers = new Map();
  for (const user of users) if (user.tier_used !== null) tiers.set(user.tier_used, [...(tiers.get(user.tier_used) ?? []), user]);
  return [...tiers].sort(([one], [other]) => one - other);
}

// Returns what alone would be enough to lift a need, as sentences.
export function enoughOf(found) {
  if (currentLanguage() === "en") return { lang: "en", said: found.enough.map((one) => dated(one.sentence)) };
  return { said: found.enough.map((one) => `${changeOf(one)} ${t("enough.leads", { lift: quantity(one.lift), rise: one.others_rise, rise_by: quantity(one.others_rise_by), fall: one.others_fall, fall_by: quantity(one.others_fall_by) })}`) };
}

function changeOf(one) {
  if (one.supply) return one.offer ? t("enough.offer", { supply: quantity(one.supply), offer: one.offer }) : t("enough.supply", { supply: quantity(one.supply) });
  if (one.tier !== null) return t("enough.tier", { tier: t(`tier.${one.tier}`) });
  if (one.within_km !== null) return one.offer ? t("enough.within_offer", { far: kilometres(one.within_km), offer: one.offer }) : t("enough.within", { far: kilometres(one.within_km) });
  if (one.end) return t("enough.end", { end: moment(one.end) });
  if (one.begin) return t("enough.begin", { begin: moment(one.begin) });
  return one.what;
}

