// The open book: what one agent promised, gave and received, every decision in the order made, and the rules in force.

import { h } from "../dom.js";
import { agentLink, button, choice, empty, notice, section, state, table, tabsOf, textFilter, when } from "../parts.js";
import { all, ask, begin, ofAgent, unknownHere } from "../server.js";
import { inWords, translated } from "../telling.js";
import { kilometres, moment, number, percent, quantity, seconds, t } from "../words.js";

const SIDES = ["ledger", "rules"];
const PAGE = 50;
const KINDS = ["promised", "committed", "shipped", "delivered", "fulfilled", "declined", "countered", "released", "broken", "refused", "noted"];

export const book = {
  name: "book",
  choices: { show: SIDES, kind: KINDS },
  moves: (record) => record.stream === "ledger",
  async load(app, signal) {
    const { agent, kind, more } = app.query;
    if (sideOf(app) === "rules") {
      const [charter, compared] = await Promise.all([ask("charter", {}, signal), ask("charter/compared", {}, signal)]);
      if (compared.running) watch(app);
      return { side: "rules", charter, compared };
    }
    const wanted = PAGE * Number(more ?? 1);
    const [whole, one, account] = await Promise.all([ask("network", { limit: 1 }, signal), all("ledger", { agent, kind, newest: "true" }, wanted, signal), agent ? ask(`agents/${ofAgent(agent)}`, {}, signal).catch(unknownHere) : undefined]);
    return { side: "ledger", account, unknown: account === null, items: one.items, more: one.more, ledger: whole.ledger };
  },
  draw(app, data) {
    const side = sideOf(app);
    const tabs = tabsOf(app, SIDES, side, (each) => t(`book.${each}`));
    if (data.side !== side) return h("div", { class: "stack" }, tabs, h("p", { class: "loading" }, t("loading")));
    return h("div", { class: "stack" }, tabs, side === "rules" ? [rules(data.charter), fairness(app, data.compared)] : decisions(app, data));
  },
};

function sideOf(app) {
  return app.query.show === "rules" ? "rules" : "ledger";
}

function decisions(app, data) {
  const { agent, kind } = app.query;
  return [
    h(
      "div",
      { class: "filters" },
      textFilter(t("filter.agent"), agent, (name) => app.filter({ agent: name, more: "" })),
      choice(t("book.kind"), kind, [["", t("filter.all")], ...KINDS.map((name) => [name, t(`state.${name}`)])], (name) => app.filter({ kind: name, more: "" })),
    ),
    data.account ? accountOf(app, data.account) : null,
    data.unknown ? notice("quiet", t("book.unknown")) : null,
    section(
      agent ? t("book.ledger_of", { agent }) : t("book.ledger"),
      agent ? null : h("p", { class: "note" }, t("book.summary", { count: data.ledger })),
      data.items.length ? ledger(app, data.items) : empty(t("book.none")),
      data.more ? button(t("more", { count: PAGE }), () => app.filter({ more: Number(app.query.more ?? 1) + 1 }), { class: "more" }) : null,
    ),
  ];
}

function accountOf(app, account) {
  const columns = [t("column.thing"), t("column.way"), t("column.proposed"), t("column.promised"), t("column.committed"), t("column.moved")];
  const rows = account.sums.map((sum) => [sum.name, t(`way.${sum.way}`), ...["proposed", "promised", "committed", "moved"].map((name) => (sum[name].value ? quantity(sum[name]) : "–"))]);
  const where = account.place ? ` · ${number(account.place.lat)}°, ${number(account.place.long)}°` : "";
  return section(
    account.name ?? account.agent,
    h("p", { class: "note" }, h("code", {}, account.agent), ` · ${t("overview.says", account.says)}${where} · ${t("book.joined")} ${moment(account.joined)}`, account.classified_as.length ? ` · ${account.classified_as.join(", ")}` : ""),
    rows.length ? table(t("book.account"), columns, rows, { figures: [2, 3, 4, 5], hidden: true }) : empty(t("book.no_account")),
    h("p", { class: "links" }, h("a", { href: app.link("proposals", { agent: account.agent }) }, t("book.proposals")), h("a", { href: app.link("needs", { q: `${account.agent}/` }) }, t("book.needs")), h("a", { href: app.link("opportunities", { agent: account.agent }) }, t("nav.opportunities"))),
  );
}

function ledger(app, records) {
  const columns = [t("column.number"), t("column.time"), t("column.kind"), t("column.agent"), t("column.proposal"), t("column.why")];
  const rows = records.map((record) =>
    Object.assign(
      [
        number(record.number, 0),
        h("time", { datetime: record.time, title: record.time }, moment(record.time)),
        [state(record.kind), record.kind === "refused" && record.answer ? h("span", { class: "muted" }, " ", t(`book.word_${record.answer}`)) : null],
        agentLink(app, record.agent),
        h("a", { class: "ref", href: app.link("proposals", { id: record.proposal }) }, record.proposal.slice(0, 8)),
        [record.spoken_by ? h("span", { class: "muted" }, t("book.spoken_by", { name: record.spoken_by }), " ") : null, record.why ? inWords(record.why) : ""],
      ],
      { key: record.number },
    ),
  );
  return table(t("book.ledger"), columns, rows, { figures: [0], hidden: true });
}

function rules({ version, rules: charter }) {
  const rows = Object.entries(charter).map(([name, value]) => [h("code", {}, name), ruleOf(name, value), t(`rule.${name}`)]);
  return section(t("book.charter"), h("p", { class: "note" }, t("book.version"), " ", h("code", {}, version)), table(t("book.charter"), [t("column.rule"), t("column.value"), t("column.meaning")], rows, { hidden: true }));
}

// -- what its rule of fairness costs -----------------------------------------------------------------------------------------

let timer = null;

function watch(app) {
  timer ??= setTimeout(() => {
    timer = null;
    if (app.view === book) app.reload();
  }, 1_000);
}

function fairness(app, { running, trouble, last }) {
  const start = async () => {
    await begin("charter/compared").catch((error) => app.tell(error.message ? (translated(error.message) ?? error.message) : t("trouble.unreachable"), { bad: true }));
    app.reload();
  };
  return section(
    t("compared.title"),
    h("p", { class: "note" }, t("compared.note")),
    last ? compared(last) : null,
    trouble ? notice("quiet", trouble) : null,
    h("div", { class: "acts" }, button(last ? t("compared.again") : t("compared.start"), start, { disabled: Boolean(running) }), running ? h("span", { class: "note", role: "status" }, t("compared.running", { done: running.markets, of: running.of })) : null),
  );
}

function compared({ computed, took_seconds: took, in_force: inForce, measure, markets, left_out: leftOut, rules: rows }) {
  const least = rows.off.effort;
  const cells = Object.entries(rows).map(([name, row]) => [
    [h("code", {}, name), name === inForce ? [" ", h("span", { class: "state" }, t("compared.in_force"))] : null],
    number(row.met),
    number(row.nothing),
    row.share === null ? "–" : percent(row.share),
    number(row.effort, 0),
    least > 0 ? `× ${number(row.effort / least, 2)}` : "–",
  ]);
  return [
    table(t("compared.title"), [t("column.rule"), t("compared.met"), t("compared.nothing"), t("compared.share"), t(`compared.effort_${measure}`), t("compared.times")], cells, { figures: [1, 2, 3, 4, 5], hidden: true }),
    h("p", { class: "note" }, t("compared.computed", { count: markets, needs: rows.off.needs }), " ", when(computed), ` (${seconds(took)}).`, leftOut.length ? ` ${t("compared.left_out", { names: leftOut.slice(0, 6).join(", "), count: leftOut.length })}` : ""),
  ];
}

function ruleOf(name, value) {
  if (value === null) return t("rule.absent");
  if (name === "radius_km") return kilometres(value);
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return value;
  const parts = Object.entries(value);
  if (!parts.length) return t("rule.empty");
  if (parts.every(([, each]) => typeof each === "number")) return parts.map(([thing, each]) => `${thing} ${number(each)}`).join(", ");
  return h("code", {}, JSON.stringify(value));
}
