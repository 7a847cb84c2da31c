// The stream as it comes: filter it, hold it still, look at a record whole, say it again with curl.

import { h } from "../dom.js";
import { agentLink, button, choice, empty, textFilter, tick } from "../parts.js";
import { kindOf, proposalOf, told } from "../telling.js";
import { clock, number, t } from "../words.js";

const SHOWN = 150;
const KINDS = ["offer", "capacity", "need", "agent", "resource", "recipe", "route", "answer", "report", "proposal", "ledger"];
const REDRAW_MS = 250;

let held = null; // the records shown while it is held still
let timer = null;

export const signals = {
  name: "signals",
  choices: { kind: KINDS },
  load: async () => ({}),
  hear(app) {
    if (held !== null) return;
    timer ??= setTimeout(() => {
      timer = null;
      if (app.view === signals) app.redraw();
    }, REDRAW_MS);
  },
  draw(app) {
    const { query, stream } = app;
    const records = held ?? stream.records;
    const shown = [];
    for (let index = records.length - 1; index >= 0 && shown.length < SHOWN; index -= 1) if (wanted(records[index], query)) shown.push(records[index]);
    return h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "filters" },
        textFilter(t("filter.text"), query.q, (q) => app.filter({ q })),
        choice(t("signals.kind"), query.kind, [["", t("filter.all")], ...KINDS.map((kind) => [kind, t(`kind.${kind}`)])], (kind) => app.filter({ kind })),
        tick(t("signals.ticks"), Boolean(query.ticks), (on) => app.filter({ ticks: on ? 1 : "" })),
        button(held === null ? t("signals.pause") : t("signals.go_on"), () => hold(app), { "aria-pressed": held === null ? "false" : "true" }),
      ),
      h("p", { class: "note" }, t("signals.summary", { count: stream.received })),
      shown.length ? h("ol", { class: "log" }, shown.map((record) => row(app, record))) : empty(t("signals.none")),
    );
  },
};

function hold(app) {
  held = held === null ? [...app.stream.records] : null;
  app.redraw();
}

function wanted(record, { q, kind, ticks }) {
  const mine = kindOf(record.event);
  if (kind ? mine !== kind : mine === "tick" && !ticks) return false;
  return !q || JSON.stringify(record.event).toLowerCase().includes(q.toLowerCase());
}

function row(app, record) {
  const { event, position, logtime } = record;
  const name = event.source.slice(event.source.indexOf(":") + 1);
  const byAgent = event.source.startsWith("agent:");
  return h(
    "li",
    { key: position },
    h(
      "details",
      {},
      h(
        "summary",
        {},
        h("time", { class: "when", datetime: logtime }, clock(logtime)),
        h("span", { class: `kind kind-${record.stream}` }, t(`kind.${kindOf(record.event)}`)),
        h("span", { class: "what" }, byAgent ? h("b", {}, name) : null, " ", told(event)),
      ),
      h("pre", { tabindex: "0" }, JSON.stringify(event, null, 2)),
      h("div", { class: "acts" }, proposalLink(app, event), byAgent ? agentLink(app, name) : null, byAgent ? button(t("signals.curl"), () => copy(app, event)) : null, h("span", { class: "muted" }, t("signals.position", { position: number(position, 0) }))),
    ),
  );
}

function proposalLink(app, event) {
  const id = proposalOf(event);
  return id ? h("a", { href: app.link("proposals", { id }) }, t("signals.proposal")) : null;
}

async function copy(app, event) {
  const body = JSON.stringify(event).replaceAll("'", "'\\''");
  const token = app.session.needsTokens ? ` \\\n  -H "authorization: Bearer $STIGMERGY_TOKEN"` : "";
  const line = `curl -sS '${new URL("signals", document.baseURI.split("#")[0])}' \\\n  -H 'content-type: application/cloudevents+json'${token} \\\n  -d '${body}'`;
  try {
    await navigator.clipboard.writeText(line);
    app.tell(t("signals.copied"));
  } catch {
    app.tell(t("signals.not_copied"), { bad: true });
  }
}
