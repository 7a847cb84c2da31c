// The frame around every view: where one is (the address), who one speaks for, how the stream does, and bringing views up to date.

import { h, show } from "./dom.js";
import { button, notice } from "./parts.js";
import { Trouble, ask } from "./server.js";
import { Session } from "./session.js";
import { showSides, watchSides } from "./sideways.js";
import { Stream } from "./stream.js";
import { inWords } from "./telling.js";
import { LANGUAGES, currentLanguage, fromNow, left, number, seconds, t, useLanguage } from "./words.js";
import { openSignIn } from "./signin.js";
import { overview } from "./views/overview.js";
import { map } from "./views/map.js";
import { needs } from "./views/needs.js";
import { proposals } from "./views/proposals.js";
import { network } from "./views/network.js";
import { opportunities } from "./views/opportunities.js";
import { signals } from "./views/signals.js";
import { book } from "./views/book.js";
import { refused } from "./views/refused.js";

const VIEWS = [overview, map, needs, proposals, network, opportunities, signals, book, refused];
const AT_MOST_EVERY_MS = 1_500; // a view is read anew
const ANYWAY_MS = 30_000; // time alone changes things too
const TIMES_ITS_LENGTH = 8; // and never more often than this many times what reading it took
const SEARCH_AFTER_MS = 180;
const FOUND = 10; // that a search shows at most
const MORE = /^[1-9]\d{0,3}$/; // how many times as much of a list is shown
const LONGEST_WORD = 60; // letters of what an address asked for in vain

const session = new Session();
const stream = new Stream();
const place = { body: h("div", { class: "frame" }), dialog: h("div"), toast: h("div", { class: "toasts", role: "status" }) };

const app = {
  session,
  stream,
  view: overview,
  query: {},
  strange: [], // what the address asks for and nothing here has: [message, values]
  counts: {},
  // Goes to a view, or stays and changes its filters; filters that are empty leave the address.
  go(name, query = {}) {
    location.hash = address(name, query);
  },
  filter(changes) {
    const query = { ...app.query, ...changes };
    history.replaceState(null, "", `#${address(app.view.name, query)}`);
    route();
  },
  link: (name, query = {}) => `#${address(name, query)}`,
  signIn: () => openSignIn(app, place.dialog),
  tell,
  reload: () => load({ anew: true }),
  redraw: () => draw(),
};

let loading = null;
let loaded = { data: null, trouble: null, view: null };
let timer = null;
let tookMs = 0;
let loadedMs = 0;
let found = [];
let foundMore = false;
let searchTimer = null;
let missed = false; // whether something may have been said that this page did not hear

function address(name, query) {
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  const text = new URLSearchParams(kept).toString();
  return text ? `/${name}?${text}` : `/${name}`;
}

// What an address asks for that nothing here has is left out, and said.
function readAddress() {
  const [path, text = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const view = VIEWS.find((each) => each.name === path) ?? overview;
  const strange = path && view.name !== path ? [["address.view", { name: path.slice(0, LONGEST_WORD) }]] : [];
  const choices = new Map(Object.entries(view.choices ?? {})); // an address may name what every object has, such as a constructor
  const query = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const known = name === "more" ? MORE.test(value) : (choices.get(name)?.includes(value) ?? true);
    if (known || !value) query[name] = value;
    else strange.push(["address.value", { name: name.slice(0, LONGEST_WORD), value: value.slice(0, LONGEST_WORD) }]);
  }
  return { view, query, strange };
}

function route() {
  const { view, query, strange } = readAddress();
  const moved = view !== app.view;
  Object.assign(app, { view, query, strange });
  document.title = `${t(`nav.${view.name}`)} · Stigmergic Coordinator`;
  if (moved || loaded.view !== view) loaded = { data: null, trouble: null, view };
  load({ anew: true });
  if (moved) {
    document.querySelector("nav.side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    document.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

// Reads what the view shows; what was asked before and has not come yet is dropped.
async function load({ anew = false } = {}) {
  if (loading && !anew) return;
  loading?.abort();
  const mine = (loading = new AbortController());
  clearTimeout(timer);
  timer = null;
  draw();
  const beganMs = performance.now();
  try {
    const data = await app.view.load(app, mine.signal);
    if (mine !== loading) return;
    loaded = { data, trouble: null, view: app.view };
  } catch (trouble) {
    if (mine !== loading || trouble.name === "AbortError") return;
    loaded = { ...loaded, trouble, view: app.view };
    if (trouble.status === undefined) console.error(trouble);
  }
  tookMs = performance.now() - beganMs;
  loadedMs = performance.now();
  loading = null;
  draw();
}

// Something happened that the view shows: it is read anew, soon, but not for every single record.
function soon() {
  if (timer !== null || document.hidden) return;
  const waitMs = Math.max(app.view.everyMs ?? AT_MOST_EVERY_MS, tookMs * TIMES_ITS_LENGTH) - (performance.now() - loadedMs);
  timer = setTimeout(() => {
    timer = null;
    load();
  }, Math.max(250, waitMs));
}

async function count() {
  const { proposals: states } = await ask("network", { limit: 1 });
  app.counts = { proposals: (states.proposed ?? 0) + (states.promised ?? 0) };
  draw();
}

// -- what is drawn ---------------------------------------------------------------------------------------------------------

function draw() {
  document.documentElement.lang = currentLanguage();
  show(place.body, header(), navigation(), content(), foot());
  showSides();
}

function header() {
  return h(
    "header",
    { class: "top", key: "top" },
    h("a", { class: "skip", href: "#main", on: { click: skip } }, t("skip")),
    h("a", { class: "brand", href: app.link("overview") }, mark(), h("span", {}, "Stigmergic Coordinator")),
    searchBox(),
    health(),
    h(
      "button",
      { class: "quiet who", type: "button", on: { click: app.signIn }, "aria-haspopup": "dialog" },
      session.active ? t("speaking", { who: session.anyone ? t("anyone") : session.who.slice(0, 2).join(", ") }) : t("sign_in"),
    ),
  );
}

function mark() {
  return h(
    "svg",
    { viewBox: "0 0 32 32", width: 26, height: 26, "aria-hidden": "true", class: "mark" },
    h("rect", { width: 32, height: 32, rx: 8, class: "mark-ground" }),
    h("path", { d: "M9 22c5 0 4-12 14-12", class: "mark-trail" }),
    h("path", { d: "M9 22c7 0 8-1 14-1", class: "mark-trail faint" }),
    h("circle", { cx: 9, cy: 22, r: 3, class: "mark-dot" }),
    h("circle", { cx: 23, cy: 10, r: 3, class: "mark-goal" }),
    h("circle", { cx: 23, cy: 21, r: 2.2, class: "mark-dot" }),
  );
}

function skip(event) {
  event.preventDefault();
  document.querySelector("h1")?.focus();
}

function health() {
  const label = t(loaded.trouble?.status === 401 && stream.state !== "live" ? "stream.closed" : `stream.${stream.state}`);
  const since = stream.heardMs && stream.state !== "live" ? t("stream.since", { age: seconds(Math.round((Date.now() - stream.heardMs) / 1000)) }) : "";
  return h("p", { class: `health ${stream.state}`, role: "status" }, h("span", { class: "dot", "aria-hidden": "true" }), `${label}${since}`);
}

function searchBox() {
  const options = found.map((each) => h("li", { key: `${each.sort}/${each.name}` }, h("a", { href: target(each) }, h("span", { class: "sort" }, t(`sort.${each.sort}`)), each.label)));
  if (foundMore) options.push(h("li", { key: "more", class: "note" }, t("search.more", { count: FOUND })));
  return h(
    "form",
    { class: "search", role: "search", key: "search", on: { submit: (event) => event.preventDefault(), focusout: leaveSearch, keydown: searchKeys } },
    h("label", { class: "hidden", for: "search" }, t("search")),
    h("input", { id: "search", type: "search", maxlength: 200, autocomplete: "off", spellcheck: "false", placeholder: t("search"), "aria-keyshortcuts": "Control+K", "aria-controls": "found", on: { input: search } }),
    h("ul", { id: "found", class: found.length ? "found" : "found empty" }, options),
  );
}

function target({ sort, name }) {
  if (sort === "agent") return app.link("book", { agent: name });
  if (sort === "need") return app.link("needs", { need: name });
  if (sort === "proposal") return app.link("proposals", { id: name });
  return app.link("needs", { resource: name });
}

function search(event) {
  clearTimeout(searchTimer);
  const input = event.target;
  const text = input.value.trim();
  searchTimer = setTimeout(async () => {
    const { items } = text ? await ask("search", { q: text, limit: FOUND + 1 }).catch(() => ({ items: [] })) : { items: [] };
    if (input.value.trim() !== text) return; // more was typed meanwhile: its own answer comes
    [found, foundMore] = [items.slice(0, FOUND), items.length > FOUND];
    draw();
  }, SEARCH_AFTER_MS);
}

function searchKeys(event) {
  const links = [...event.currentTarget.querySelectorAll(".found a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown" && links.length) links[Math.min(at + 1, links.length - 1)].focus();
  else if (event.key === "ArrowUp" && at > 0) links[at - 1].focus();
  else if (event.key === "ArrowUp" && at === 0) document.getElementById("search").focus();
  else if (event.key === "Enter" && at < 0 && links.length) links[0].click();
  else if (event.key === "Escape") closeSearch();
  else return;
  event.preventDefault();
}

function leaveSearch(event) {
  if (!event.currentTarget.contains(event.relatedTarget)) setTimeout(closeSearch, 150);
}

function closeSearch() {
  [found, foundMore] = [[], false];
  draw();
}

function navigation() {
  return h(
    "nav",
    { class: "side", key: "side", "aria-label": t("views") },
    h(
      "ul",
      {},
      VIEWS.map((view) =>
        h(
          "li",
          { key: view.name },
          h(
            "a",
            { href: app.link(view.name), "aria-current": view === app.view ? "page" : null },
            t(`nav.${view.name}`),
            app.counts[view.name] ? h("span", { class: "count" }, number(app.counts[view.name])) : null,
          ),
        ),
      ),
    ),
  );
}

function content() {
  const { data, trouble, view } = loaded;
  const ready = data !== null && view === app.view;
  return h(
    "main",
    { id: "main", key: `main-${app.view.name}`, class: trouble ? "troubled" : null, "aria-busy": loading && !ready ? "true" : null },
    h("div", { class: "title" }, h("h1", { tabindex: "-1" }, t(`nav.${app.view.name}`)), h("p", { class: "lead" }, t(`lead.${app.view.name}`))),
    app.strange.map(([message, values]) => notice("quiet", t(message, values))),
    trouble ? troubled(trouble) : null,
    ready ? drawn(data) : trouble ? null : h("p", { class: "loading" }, t(app.view.waits ?? "loading")),
  );
}

function troubled(trouble) {
  if (trouble.status === 401) return h("p", { class: "notice quiet" }, t("signin.read_first"), " ", button(t("sign_in"), app.signIn, { class: "quiet" }));
  const said = trouble instanceof Trouble && trouble.message ? inWords(trouble.message) : ""; // what else went wrong is of this page, and no sentence for its readers
  return notice("trouble", said || t(`trouble.${trouble.code === "unreachable" ? "unreachable" : "other"}`));
}

// A fault in one view, as a message that is missing, leaves the frame and the other views as they are.
function drawn(data) {
  try {
    return app.view.draw(app, data);
  } catch (fault) {
    console.error(fault);
    return notice("trouble", t("trouble.other"));
  }
}

function foot() {
  const languages = Object.entries(LANGUAGES).map(([code, table]) => h("option", { value: code, selected: code === currentLanguage(), lang: code }, table.language));
  const themes = ["auto", "light", "dark"].map((name) => h("option", { value: name, selected: name === theme() }, t(`theme.${name}`)));
  return h(
    "footer",
    { class: "foot", key: "foot" },
    h("p", {}, t("foot"), currentLanguage() === "en" ? null : ` ${t("foot.english")}`),
    h("label", {}, h("span", { class: "hidden" }, "Language, langue"), h("select", { on: { change: (event) => changeLanguage(event.target.value) } }, languages)),
    h("label", {}, t("theme"), h("select", { on: { change: (event) => useTheme(event.target.value) } }, themes)),
  );
}

function changeLanguage(name) {
  useLanguage(name);
  document.title = `${t(`nav.${app.view.name}`)} · Stigmergic Coordinator`;
  draw();
}

function theme() {
  return localStorage.getItem("theme") ?? "auto";
}

function useTheme(name) {
  localStorage.setItem("theme", name);
  document.documentElement.dataset.theme = name;
  document.dispatchEvent(new Event("theme"));
  draw();
}

// Tells a person what became of what they did, for a while, with a way back where there is one.
function tell(text, { undo, bad = false } = {}) {
  const dismiss = () => toast.remove();
  const toast = h(
    "div",
    { class: bad ? "toast bad" : "toast" },
    h("p", {}, text),
    undo ? h("button", { type: "button", on: { click: () => (dismiss(), undo()) } }, t("undo")) : null,
    h("button", { type: "button", class: "quiet", on: { click: dismiss }, "aria-label": t("dismiss") }, "×"),
  );
  place.toast.append(toast);
  setTimeout(dismiss, bad ? 20_000 : 12_000);
}

// Times on the page are told from now; now moves on.
function passTime() {
  const nowMs = Date.now();
  for (const node of document.querySelectorAll("time[data-form]")) {
    const text = node.dataset.form === "left" ? left(node.dateTime, nowMs) || t("over") : fromNow(node.dateTime, nowMs);
    if (node.textContent !== text) node.textContent = text;
  }
  if (stream.state !== "live") draw();
}

// -- beginning -------------------------------------------------------------------------------------------------------------

async function begin() {
  document.documentElement.dataset.theme = theme();
  document.querySelector(".shell")?.remove(); // what was painted before this script had come
  document.body.append(place.body, place.dialog, place.toast);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      document.getElementById("search").focus();
    }
  });
  addEventListener("hashchange", route);
  document.addEventListener("visibilitychange", () => document.hidden || soon());
  stream.addEventListener("state", () => {
    draw();
    if (stream.state !== "live") missed = true;
    else {
      session.open().catch(() => undefined); // where it failed at first it is asked again
      if (missed) soon(); // also where nothing was said meanwhile: the view may show what could not be read, or another log
      missed = false;
    }
  });
  stream.addEventListener("records", ({ detail: { fresh } }) => {
    app.view.hear?.(app, fresh);
    if (fresh.some((record) => !record.type.startsWith("stigmergy.tick.") && app.view.moves?.(record))) soon();
    if (fresh.some((record) => record.stream !== "signal")) count().catch(() => undefined);
  });
  session.addEventListener("change", () => {
    if (loaded.trouble?.status === 401 && session.reads) {
      stream.again();
      load({ anew: true });
    }
    draw();
  });
  session.remember();
  route();
  stream.start();
  watchSides();
  setInterval(passTime, 1_000);
  setInterval(soon, ANYWAY_MS);
  await Promise.allSettled([session.open(), count()]);
}

begin();
