// The form by which a person says for whom they answer here.

import { h, show } from "./dom.js";
import { button, field, notice } from "./parts.js";
import { inWords } from "./telling.js";
import { moment, t } from "./words.js";

// Opens the form; it closes by Escape, by its button, or when it has done its work.
export function openSignIn(app, place) {
  let trouble = null;
  const draw = () => show(dialog, ...inside(app, dialog, trouble, act));
  const leave = () => {
    app.session.removeEventListener("change", draw);
    dialog.remove();
  };
  const dialog = h("dialog", { class: "sheet", "aria-labelledby": "sheet-title", on: { close: leave } });
  const act = async (work) => {
    trouble = null;
    try {
      await work();
    } catch (error) {
      trouble = error.status === 401 ? t("signin.wrong") : error.message ? inWords(error.message) : t("trouble.unreachable");
    }
    draw();
  };
  draw();
  app.session.addEventListener("change", draw);
  place.replaceChildren(dialog);
  dialog.showModal();
}

function inside(app, dialog, trouble, act) {
  const { session } = app;
  return [
    h("h2", { id: "sheet-title" }, t("signin.title")),
    h("p", {}, session.needsTokens ? t("signin.tokens") : t("signin.open")),
    trouble ? notice("trouble", trouble) : null,
    speakers(session, act),
    session.needsTokens ? tokenForm(session, act) : nameForm(session, act),
    h("div", { class: "acts" }, button(t("close"), () => dialog.close(), { class: "main" })),
  ];
}

function speakers(session, act) {
  const rows = session.needsTokens ? session.holders : session.names.map((name) => ({ name }));
  if (!rows.length) return null;
  const forget = (name) => button(t("signin.forget"), () => act(() => session.remove(name)), { class: "quiet", "aria-label": t("signin.forget_whom", { agent: name }) });
  return h("ul", { class: "speakers" }, rows.map((one) => h("li", { key: one.name }, h("span", {}, one.name, one.token ? h("span", { class: "note" }, ` ${scopes(one)}`) : null), forget(one.name))));
}

// What a token allows, and until when.
function scopes({ name, speaks, answers, expires }) {
  const said = [];
  if (speaks.some((agent) => agent !== name)) said.push(t("signin.speaks", { agents: speaks.join(", ") }));
  if (answers.length) said.push(t("signin.answers", { agents: answers.join(", ") }));
  if (!speaks.length && !answers.length) said.push(t("signin.reads"));
  if (expires) said.push(t("signin.until", { day: moment(expires) }));
  return said.join(" · ");
}

function tokenForm(session, act) {
  const take = (event) => {
    event.preventDefault();
    const [input] = event.target.elements;
    const token = input.value.trim();
    input.value = "";
    act(() => session.addToken(token));
  };
  return h(
    "form",
    { class: "line", key: "token", on: { submit: take } },
    field(t("signin.token"), h("input", { type: "password", autocomplete: "off", required: true, spellcheck: "false" })),
    h("button", { type: "submit" }, t("signin.add")),
  );
}

function nameForm(session, act) {
  const take = (event) => {
    event.preventDefault();
    const [input] = event.target.elements;
    const name = input.value.trim();
    input.value = "";
    if (name) act(() => session.addName(name));
  };
  return h(
    "div",
    { key: "name" },
    h(
      "label",
      { class: "tick" },
      h("input", { type: "checkbox", checked: session.anyone, on: { change: (event) => act(() => session.speakForAnyone(event.target.checked)) } }),
      h("span", {}, t("signin.anyone")),
    ),
    h(
      "form",
      { class: "line", on: { submit: take } },
      field(t("signin.agent"), h("input", { type: "text", autocomplete: "off", pattern: "[A-Za-z0-9._\\-]{1,128}", spellcheck: "false" })),
      h("button", { type: "submit" }, t("signin.add")),
    ),
  );
}
