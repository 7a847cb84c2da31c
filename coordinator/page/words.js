// What the page says, in the reader's language: messages from plain tables, numbers, units and times as people there write them.

import { english } from "./words/en.js";
import { french } from "./words/fr.js";

export const LANGUAGES = { en: english, fr: french };

const UNITS = { kg: "kilogram", g: "gram", h: "hour", min: "minute", L: "liter", mL: "milliliter", m: "meter", km: "kilometer", cm: "centimeter", mm: "millimeter" };
const DAY_MS = 86_400_000;
const MONTH_MS = 30 * DAY_MS; // about
const LONG = [["year", 365 * DAY_MS], ["month", MONTH_MS]];
const ROUND_MS = [60_000, 300_000, 900_000, 1_800_000, 3_600_000, 3 * 3_600_000, 6 * 3_600_000, 12 * 3_600_000, DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 14 * DAY_MS, 28 * DAY_MS, 91 * DAY_MS]; // between round moments
const YEARS_MS = 300 * DAY_MS; // in so long a time a day and month alone would leave open of which year
const ROUND_MONTHS = [3, 6, 12, 24, 60, 120]; // between round moments then
const STEPS = [["day", DAY_MS], ["hour", 3_600_000], ["minute", 60_000], ["second", 1_000]];

let language = chosen();
let locale = localeOf(language); // of numbers, units and times
let plural = new Intl.PluralRules(language);
let writers = new Map(); // of numbers, times and lengths of time in this language; making one takes longer than a hundred uses of it

function chosen() {
  const kept = localStorage.getItem("language");
  if (kept in LANGUAGES) return kept;
  return navigator.languages.map((each) => each.slice(0, 2)).find((each) => each in LANGUAGES) ?? "en";
}

// Returns how the reader's own country writes this language, where the browser says so.
function localeOf(name) {
  return navigator.languages.find((each) => each.startsWith(`${name}-`)) ?? name;
}

export function currentLanguage() {
  return language;
}

export function useLanguage(name) {
  language = name in LANGUAGES ? name : "en";
  locale = localeOf(language);
  plural = new Intl.PluralRules(language);
  writers = new Map();
  localStorage.setItem("language", language);
}

// Returns what writes values of one sort in one form.
function writer(Sort, form) {
  const key = Sort.name + JSON.stringify(form);
  if (!writers.has(key)) writers.set(key, new Sort(locale, form));
  return writers.get(key);
}

// Returns a message with its values in place; where `count` is one of them, the form that goes with it.
export function t(key, values = {}) {
  const table = LANGUAGES[language];
  const form = "count" in values ? `${key}_${plural.select(values.count)}` : key;
  const said = table[form] ?? table[`${key}_other`] ?? table[key] ?? english[key];
  if (said === undefined) throw new Error(`no message ${form}`);
  return said.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? number(values[name]) : String(values[name] ?? "")));
}

export function number(value, digits = 2) {
  return writer(Intl.NumberFormat, { maximumFractionDigits: digits }).format(value);
}

// Returns several words as one: "a, b and c" as a conjunction, "a, b or c" as a disjunction.
export function severalOf(words, type) {
  return writer(Intl.ListFormat, { type }).format(words);
}

// Returns a number as it fits beside an axis: "60K".
export function inShort(value) {
  return writer(Intl.NumberFormat, { notation: "compact" }).format(value);
}

export function percent(share) {
  const part = share > 0 && share < 0.01 ? 0.01 : share < 1 && share > 0.99 ? 0.99 : share;
  return writer(Intl.NumberFormat, { style: "percent", maximumFractionDigits: 0 }).format(part);
}

export function quantity({ value, unit }) {
  if (unit === "1") return number(value);
  if (unit in UNITS) return writer(Intl.NumberFormat, { style: "unit", unit: UNITS[unit], unitDisplay: "short", maximumFractionDigits: 2 }).format(value);
  return `${number(value)}\u00a0${unit.replace(/[23]\b/g, (power) => (power === "2" ? "²" : "³"))}`;
}

export function kilometres(km) {
  const digits = km < 10 ? 1 : 0;
  return writer(Intl.NumberFormat, { style: "unit", unit: "kilometer", unitDisplay: "short", maximumFractionDigits: digits }).format(km);
}

export function moment(text) {
  return writer(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
}

export function clock(text) {
  return writer(Intl.DateTimeFormat, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(text));
}

export function day(text) {
  return writer(Intl.DateTimeFormat, { day: "numeric", month: "short" }).format(new Date(text));
}

// Returns round moments of the reader's clock and calendar for an axis between two instants, at most so many, each as
// [milliseconds, text]: a day begins with its date, other moments are told by the hour; where years matter, months by their year.
export function roundMoments(fromMs, untilMs, most) {
  const spanMs = untilMs - fromMs;
  const first = new Date(fromMs);
  const [year, month, date] = [first.getFullYear(), first.getMonth(), first.getDate()];
  if (spanMs < YEARS_MS) {
    const minutes = (ROUND_MS.find((each) => spanMs / each <= most) ?? ROUND_MS.at(-1)) / 60_000;
    return momentsBetween(fromMs, untilMs, (turn) => new Date(year, month, date, 0, turn * minutes), tick); // by the wall clock, also where it is changed
  }
  const months = ROUND_MONTHS.find((each) => spanMs / (each * MONTH_MS) <= most) ?? 12 * Math.ceil(spanMs / most / (12 * MONTH_MS));
  return momentsBetween(fromMs, untilMs, (turn) => new Date(year, month - (month % Math.min(months, 12)) + turn * months), monthOfYear);
}

function momentsBetween(fromMs, untilMs, momentOf, textOf) {
  const found = [];
  let lastMs = -Infinity;
  for (let turn = 0; momentOf(turn) <= untilMs; turn += 1) {
    const at = momentOf(turn);
    if (at < fromMs || at <= lastMs) continue; // an hour that a clock leaves out is the next one once more
    lastMs = at.getTime();
    found.push([lastMs, textOf(at)]);
  }
  return found;
}

function tick(at) {
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  return writer(Intl.DateTimeFormat, isMidnight ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" }).format(at);
}

function monthOfYear(at) {
  return writer(Intl.DateTimeFormat, { month: "short", year: "numeric" }).format(at);
}

// Returns both ends of an axis, each as [milliseconds, text].
export function ends(fromMs, untilMs) {
  const text = untilMs - fromMs < 60_000 ? clock : moment; // which tells no seconds
  return [[fromMs, text(fromMs)], [untilMs, text(untilMs)]];
}

// Returns how far a moment lies from now, in the largest unit that fits: "in 3 days", "5 min. ago".
export function fromNow(text, nowMs = Date.now()) {
  const aheadMs = Date.parse(text) - nowMs;
  const [unit, stepMs] = [...LONG, ...STEPS].find(([, each]) => Math.abs(aheadMs) >= each) ?? STEPS[3];
  return writer(Intl.RelativeTimeFormat, { numeric: "auto", style: "short" }).format(Math.trunc(aheadMs / stepMs), unit);
}

// Returns what is left until a moment, in its two largest units: "2 d 4 h". Empty when it has passed.
export function left(text, nowMs = Date.now()) {
  return spell((Date.parse(text) - nowMs) / 1000);
}

// Returns a length of time in its two largest units. Empty where there is none.
export function spell(count) {
  let restMs = count * 1000;
  if (restMs <= 0) return "";
  const parts = [];
  for (const [unit, stepMs] of STEPS) {
    const count = Math.floor(restMs / stepMs);
    if (count > 0 || parts.length) parts.push(writer(Intl.NumberFormat, { style: "unit", unit, unitDisplay: "narrow" }).format(count));
    restMs -= count * stepMs;
    if (parts.length === 2) break;
  }
  return parts.join("\u00a0");
}

// Returns so many of a unit of time in full, as in a sentence ("2.5 days").
export function duration(count, unit) {
  return writer(Intl.NumberFormat, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 }).format(count);
}

export function seconds(count) {
  return writer(Intl.NumberFormat, { style: "unit", unit: "second", unitDisplay: "short", maximumFractionDigits: count < 10 ? 1 : 0 }).format(count);
}
