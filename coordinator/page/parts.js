// Pieces that several views are made of.

import { h } from "./dom.js";
import { fromNow, left, moment, percent, t } from "./words.js";

const IN_ONE_LINE = 22; // letters

// Returns a titled part of a view.
export function section(title, ...children) {
  return h("section", { class: "card", key: `section-${title}` }, h("h2", {}, title), ...children);
}

export function notice(kind, text) {
  return h("p", { class: `notice ${kind}`, role: kind === "trouble" ? "alert" : null }, text);
}

export function empty(text) {
  return h("p", { class: "nothing" }, text);
}

// What stands in place of a picture where there is no answer: a name that nobody here has, or nobody who has said anything.
export function nothingOf(name, found) {
  return found === null ? notice("quiet", t("network.unknown", { name })) : empty(t("network.nothing"));
}

// Returns a moment as told from now ("2 hours ago"), or as what is left until it ("2 h 5 min"); the moment itself is its title.
export function when(text, form = "now") {
  if (!text) return h("span", { class: "none" }, "–");
  return h("time", { datetime: text, title: moment(text), "data-form": form }, form === "left" ? left(text) || t("over") : fromNow(text));
}

// Returns a bar of how much of something is covered; the same is said in words.
export function bar(share, label, kind = "covered") {
  return h("span", { class: `bar ${kind}`, vars: { share: `${Math.round(share * 1000) / 10}%` } }, h("span", { class: "fill", "aria-hidden": "true" }), h("span", { class: "said" }, label ?? percent(share)));
}

export function tier(number, stated = number) {
  const label = stated === number ? t(`tier.${number}`) : `${t(`tier.${number}`)} (${t("tier.stated", { tier: t(`tier.${stated}`) })})`;
  return h("span", { class: `tier tier-${number}` }, label);
}

export function state(name) {
  return h("span", { class: `state state-${name.replaceAll(" ", "-")}` }, t(`state.${name}`));
}

export function agentLink(app, name, label) {
  return h("a", { class: "agent", href: app.link("book", { agent: name }), title: label && label !== name ? name : null }, label || name);
}

export function needLink(app, ref, label) {
  return h("a", { class: label ? "agent" : "ref", href: app.link("needs", { need: ref }), title: label ? ref : null }, label ?? ref);
}

// A name that is short enough stays in one line, however narrow its column.
function isShort(cell) {
  const text = typeof cell === "string" ? cell : cell instanceof HTMLAnchorElement ? cell.textContent : "";
  return text !== "" && text.length <= IN_ONE_LINE;
}

// Returns a table; rows are arrays of cells. Figures stand to the right. On a narrow screen each row becomes a card with its titles.
export function table(caption, columns, rows, { figures = [], hidden = false, wide = false } = {}) {
  return h(
    "div",
    { class: "rows", ...(wide ? { role: "region", tabindex: "0", "aria-label": caption } : {}) }, // one that scrolls is reached by keys
    h(
      "table",
      {},
      h("caption", { class: hidden ? "hidden" : null }, caption),
      h("thead", {}, h("tr", {}, columns.map((column, index) => h("th", { scope: "col", class: figures.includes(index) ? "figure" : null }, column)))),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h("tr", { key: row.key }, row.map((cell, index) => h("td", { class: figures.includes(index) ? "figure" : isShort(cell) ? "whole" : null, "data-title": columns[index] }, Array.isArray(cell) ? h("span", {}, cell) : cell))),
        ),
      ),
    ),
  );
}

// Returns links between the sides of a view, each with an address of its own.
export function tabsOf(app, sides, current, name) {
  return h("ul", { class: "tabs" }, sides.map((side) => h("li", { key: side }, h("a", { href: app.link(app.view.name, { show: side }), "aria-current": side === current ? "true" : null }, name(side)))));
}

export function field(label, input) {
  return h("label", { class: "field" }, h("span", {}, label), input);
}

export function choice(label, value, options, onChange) {
  const shown = options.map(([name, text]) => h("option", { value: name, selected: name === (value ?? "") }, text));
  return field(label, h("select", { on: { change: (event) => onChange(event.target.value) } }, shown));
}

export function tick(label, checked, onChange) {
  return h("label", { class: "tick" }, h("input", { type: "checkbox", checked, on: { change: (event) => onChange(event.target.checked) } }), h("span", {}, label));
}

export function textFilter(label, value, onChange) {
  let timer;
  const input = (event) => {
    clearTimeout(timer);
    const { value: text } = event.target;
    timer = setTimeout(() => onChange(text), 250);
  };
  return field(label, h("input", { type: "search", maxlength: 128, value: value ?? "", autocomplete: "off", spellcheck: "false", on: { input } }));
}

export function button(label, act, facts = {}) {
  return h("button", { type: "button", ...facts, on: { click: act } }, label);
}
