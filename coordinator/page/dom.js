// Elements out of plain values, and a way to bring what is shown up to date without losing focus, selection or place.
// Texts become text nodes and nothing else: whatever somebody called themselves is shown, never run.

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = new Set(["svg", "g", "path", "circle", "rect", "line", "text"]);

const FIELDS = new Set(["INPUT", "SELECT", "TEXTAREA"]);

// Returns an element. `on` holds listeners, `vars` custom properties of its style, `key` tells it from its brothers,
// `own` marks one that looks after its inside itself; all else is an attribute: false and null leave it out, true leaves it empty.
export function h(name, facts, ...children) {
  const node = SHAPES.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  const { on, vars, key, own, ...attributes } = facts ?? {};
  node.key = key;
  node.own = own;
  node.vars = vars;
  if (vars) setVars(node, vars);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(attribute, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(attribute, value);
  }
  if (on) listen(node, on);
  node.append(...flat(children));
  return node;
}

// Shows these nodes in a place, changing what is there already as little as possible.
export function show(place, ...children) {
  const fresh = flat(children).map((child) => (typeof child === "string" ? document.createTextNode(child) : child));
  morphChildren(place, fresh);
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

function setVars(node, vars) {
  for (const [name, value] of Object.entries(vars)) node.style.setProperty(`--${name}`, value);
}

// One listener a kind stays on the element; what it calls is exchanged when the element is brought up to date.
function listen(node, on) {
  node.heard ??= {};
  for (const kind of Object.keys(on)) if (!(kind in node.heard)) node.addEventListener(kind, dispatch);
  node.heard = { ...on };
}

function dispatch(event) {
  return event.currentTarget.heard[event.type]?.(event);
}

function alike(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && old.key === fresh.key;
}

function morphChildren(place, fresh) {
  const byKey = new Map();
  for (const child of place.childNodes) if (child.key !== undefined) byKey.set(child.key, child);
  let at = place.firstChild;
  for (const child of fresh) {
    const known = child.key === undefined ? at : byKey.get(child.key);
    if (known && alike(known, child)) {
      if (known === at) at = at.nextSibling;
      else place.insertBefore(known, at);
      morph(known, child);
    } else {
      place.insertBefore(child, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function morph(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.own) {
    old.refresh?.(fresh);
    return;
  }
  morphAttributes(old, fresh);
  if (old.heard || fresh.heard) listen(old, fresh.heard ?? {});
  if (fresh.vars) setVars(old, fresh.vars);
  const typing = old === document.activeElement && old.type !== "checkbox";
  morphChildren(old, [...fresh.childNodes]);
  if (FIELDS.has(old.tagName) && !typing) {
    if (old.value !== fresh.value) old.value = fresh.value;
    old.checked = fresh.checked;
  }
}

// `open` of a disclosure is the reader's, and `style` holds the custom properties: neither is overwritten.
function morphAttributes(old, fresh) {
  const kept = (name) => name === "style" || (name === "open" && (old.tagName === "DETAILS" || old.tagName === "DIALOG"));
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (!kept(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
}
