// Records and reasons in words, in the reader's language where their parts are known. What only the server can say stays in English.

import { h } from "./dom.js";
import { LANGUAGES, currentLanguage, duration, kilometres, moment, number, quantity, severalOf, t } from "./words.js";
import { formOf } from "./words/said.js";

const INSTANT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
const INSTANT_ALONE = new RegExp(`^${INSTANT.source}$`);
const FIGURE = /^\d{1,3}(,\d{3})*(\.(?<decimals>\d+))?$/; // as the server writes one

// What the door expected, as it words that.
const EXPECTED = {
  "true or false, without quotes,": "boolean",
  "an object in { }": "object",
  "a text in quotes": "text",
  "a list in [ ]": "list",
  "another kind of value": "other",
};

// How what the server itself wrote into a sentence is told, by its name in the form. All else came from somebody, and stays as it came.
const TOLD = {
  count: (said) => Number(said.replaceAll(",", "")), // a number still: the form of the message goes with it
  offers: figure,
  tried: figure,
  far: figure,
  share: figure,
  asked: figure,
  free: figure,
  most: figure,
  taken: figure,
  places: figure,
  late_by: span,
  late_at_most: span,
  lack: (said) => translated(said) ?? said,
  open: figure,
  held: figure,
  time: instant,
  now: instant,
  until: instant,
  rule: ruleText,
  state: (said) => named("state", said),
  dimension: (said) => anyOf(said, (each) => named("dimension", each)),
  dimensions: (said) => severalOf(said.split(" and ").map((each) => named("dimension", each)), "conjunction"),
  tiers: (said) => anyOf(said),
  known: (said) => anyOf(said),
  near: (said) => anyOf(said),
  field: (said) => (said === "The name in source" ? t("field.source") : said),
  expected: (said) => (Object.hasOwn(EXPECTED, said) ? t(`expected.${EXPECTED[said]}`) : said),
};
const INSTANTS = Object.keys(TOLD).filter((name) => TOLD[name] === instant);

// Returns a sentence of the server in the reader's language where its form is known, else as it was said, marked as English.
export function inWords(sentence) {
  return translated(sentence) ?? h("span", { lang: "en" }, dated(sentence));
}

// Returns a sentence with the instants that the server wrote into it as the reader's clock and calendar have them. Those in a name or
// in an advice stay: what is to be written or looked for has to be read as it is.
function dated(sentence) {
  const form = formOf(sentence);
  if (!form) return sentence;
  const spans = INSTANTS.flatMap((name) => (form.at[name] ? [form.at[name]] : [])).sort(([one], [other]) => other - one); // the last first
  return spans.reduce((said, [from, until]) => said.slice(0, from) + instant(said.slice(from, until)) + said.slice(until), sentence);
}

// Returns an instant as the reader's clock and calendar have it; what is none, such as a 30 February, as it came.
function instant(said) {
  const ms = INSTANT_ALONE.test(said) ? Date.parse(said) : NaN;
  const seconds = "YYYY-MM-DDTHH:MM:SS".length;
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(said.slice(0, seconds)) ? moment(said) : said;
}

// Returns a figure of the server with all its decimals; an amount with a unit as it came.
function figure(said) {
  const found = FIGURE.exec(said);
  return found ? number(Number(said.replaceAll(",", "")), found.groups.decimals?.length ?? 0) : said;
}

// Returns the reader's word for one of a list of the server's, such as its states; one that is not on it as it came.
function named(list, word) {
  return `${list}.${word}` in LANGUAGES.en ? t(`${list}.${word}`) : word;
}

// Returns how long something is, as the server says it ("2.5 days"), in the reader's language.
function span(said) {
  const [count, unit] = said.split(" ");
  return duration(Number(count.replaceAll(",", "")), unit.replace(/s$/, ""));
}

// Returns "a, b or c" of the server in the reader's language.
function anyOf(said, tell = (each) => each) {
  return severalOf(said.split(/, | or /).map(tell), "disjunction");
}

export function translated(sentence) {
  const form = currentLanguage() === "en" ? undefined : formOf(sentence);
  if (!form) return undefined;
  const values = Object.entries(form.values).map(([name, said]) => [name, name in TOLD ? TOLD[name](said) : said]);
  return t(`said.${form.name}`, Object.fromEntries(values));
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
  if (currentLanguage() === "en") return { lang: "en", said: found.enough.map((one) => (one.end || one.begin ? one.sentence.replace(INSTANT, instant) : one.sentence)) };
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

