// Questions to the server, and what agents say through this page. Every answer that is an error becomes a sentence.

export class Trouble extends Error {
  constructor(status, code, sentence) {
    super(sentence);
    this.status = status;
    this.code = code;
  }
}

// The tokens that reading may take, where it takes one; the session sets them. One that may read no longer makes way for the next.
export const bearer = {
  token: undefined,
  others: [],
  use([token, ...others]) {
    Object.assign(this, { token, others });
  },
  // Returns whether there is another to try than this one, to which others may have turned meanwhile.
  turn(tried) {
    if (this.token !== tried) return true;
    if (!this.others.length) return false;
    this.use(this.others);
    return true;
  },
};

export function readingHeaders(headers = {}) {
  return bearer.token ? { ...headers, authorization: `Bearer ${bearer.token}` } : headers;
}

const PATIENCE_MS = 30_000;

// Returns what the server answers to a question; values that are empty are left out of it.
export async function ask(path, values = {}, signal = undefined) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== ""));
  const text = query.toString();
  const address = text ? `${path}?${text}` : path;
  for (;;) {
    const { token } = bearer;
    const response = await reach(address, { headers: readingHeaders(), signal: limited(signal) });
    if (response.status !== 401 || !bearer.turn(token)) return read(response);
  }
}

// Returns an agent's name as a part of an address: with what it is before it, for browsers take ".." alone for the way up.
export function ofAgent(name) {
  return encodeURIComponent(`agent:${name}`);
}

// Stands for the answer where nobody here is called so; every other trouble stays one.
export function unknownHere(trouble) {
  if (trouble.status === 400 || trouble.status === 404) return null;
  throw trouble;
}

// Has the server begin some work in the background; returns what it says of it.
export async function begin(path) {
  return read(await reach(path, { method: "POST", headers: readingHeaders(), signal: limited() }));
}

// Returns the rows of all pages of a list, at most so many, and whether there are more.
export async function all(path, values, most, signal) {
  const items = [];
  let { after } = values;
  do {
    const page = await ask(path, { ...values, limit: Math.min(1000, most - items.length), after }, signal);
    items.push(...page.items);
    after = page.next;
  } while (after !== null && items.length < most);
  return { items, more: after !== null };
}

// Says one thing for one agent; returns what became of it. Without data it takes back what was said under that subject.
export async function say(speaker, kind, subject, data) {
  const event = {
    specversion: "1.0",
    id: crypto.randomUUID(),
    source: `agent:${speaker.agent}`,
    type: `stigmergy.${kind}.v1`,
    subject,
    time: new Date().toISOString(),
    data,
  };
  const headers = { "content-type": "application/cloudevents+json" };
  if (speaker.token) headers.authorization = `Bearer ${speaker.token}`;
  const told = await read(await reach("signals", { method: "POST", headers, body: JSON.stringify(event), signal: limited() }));
  const [result] = told.results;
  const refused = (result.decided ?? []).find((record) => record.kind === "refused" || record.kind === "noted");
  if (refused) throw new Trouble(200, "refused", refused.why ?? "");
  return result;
}

// Returns what a token allows, and whether speaking and reading take one at all.
export async function whose(token) {
  return read(await reach("session", { headers: token ? { authorization: `Bearer ${token}` } : {}, signal: limited() }));
}

function limited(signal) {
  const late = AbortSignal.timeout(PATIENCE_MS);
  return signal ? AbortSignal.any([signal, late]) : late;
}

async function reach(address, facts) {
  try {
    return await fetch(address, { ...facts, redirect: "error", referrerPolicy: "no-referrer" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(0, "unreachable", "");
  }
}

async function read(response) {
  const told = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error; // cut off while it came: nobody waits for it any more
    return {};
  });
  if (!response.ok) throw new Trouble(response.status, told.code ?? "unknown", told.detail ?? response.statusText);
  return told;
}
