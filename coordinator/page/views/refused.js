// What was refused at the door, each with the sentence why.

import { h } from "../dom.js";
import { button, choice, empty, textFilter, when } from "../parts.js";
import { ask } from "../server.js";
import { inWords } from "../telling.js";
import { number, t } from "../words.js";

const SHOWN = 200; // rows at first, and with each call for more
const CODES = ["invalid", "speaker", "conflict", "late", "misplaced"];

export const refused = {
  name: "refused",
  choices: { code: CODES },
  moves: () => false,
  hear: (app, fresh) => fresh.length && soon(app),
  async load(app, signal) {
    const { counts, items } = await ask("refused", { limit: 1000 }, signal);
    return { counts, items: items.reverse() };
  },
  draw(app, { counts, items }) {
    const { code, q } = app.query;
    const text = (q ?? "").toLowerCase();
    const rows = SHOWN * Number(app.query.more ?? 1);
    const shown = items.filter((one) => (!code || one.code === code) && (!text || isIn(text, toldOf(one)) || isIn(text, one.said)));
    return h(
      "div",
      { class: "stack" },
      h("dl", { class: "figures" }, CODES.map((name) => h("div", { key: name }, h("dt", {}, t(`code.${name}`)), h("dd", {}, number(counts[name] ?? 0))))),
      h("p", { class: "note" }, t("refused.since")),
      h("div", { class: "filters" }, textFilter(t("filter.text"), q, (value) => app.filter({ q: value })), choice(t("refused.code"), code, [["", t("filter.all")], ...CODES.map((name) => [name, t(`code.${name}`)])], (name) => app.filter({ code: name }))),
      shown.length ? h("ol", { class: "log turned-away" }, shown.slice(0, rows).map((one) => row(one, Boolean(text) && !isIn(text, toldOf(one))))) : empty(t(code || q ? "refused.none_fits" : "refused.none")),
      shown.length > rows ? button(t("more", { count: Math.min(SHOWN, shown.length - rows) }), () => app.filter({ more: Number(app.query.more ?? 1) + 1 }), { class: "more" }) : null,
    );
  },
};

const isIn = (text, whole) => whole.toLowerCase().includes(text);

// Returns what a row shows while it is folded, as text.
function toldOf(one) {
  const reason = inWords(one.reason);
  return `${one.key} ${t(`code.${one.code}`)} ${reason.textContent ?? reason}`;
}

// What only stands in the signal itself is unfolded, so that one sees what was found.
function row(one, unfolded) {
  return h(
    "li",
    { key: `${one.number} ${unfolded}` },
    h("details", { open: unfolded }, h("summary", {}, h("span", { class: "when" }, when(one.time)), h("code", {}, one.key), h("span", { class: "tier late" }, t(`code.${one.code}`)), h("span", { class: "why" }, inWords(one.reason))), h("pre", { tabindex: "0" }, one.said)),
  );
}

// The stream does not carry what was refused; it is asked for again when anything was said, and every few seconds while one looks.
let timer = null;
function soon(app) {
  timer ??= setTimeout(() => {
    timer = null;
    if (app.view === refused) app.reload();
  }, 3_000);
}
