// Who this page may read, speak and answer for. Tokens stay in this tab (sessionStorage) and go nowhere but to the server of the page.

import { Trouble, ask, bearer, ofAgent, whose } from "./server.js";

const KEY = "speakers";

export class Session extends EventTarget {
  needsTokens = true;
  reads = true; // whether what there is may be read: without a token where reading is open
  anyone = false; // a server without tokens lets everybody on its machine speak for anybody
  holders = []; // of tokens: {name, token, speaks, answers, expires}
  #speakers = new Map();
  #readingTakesToken = false;
  #opening = null;

  // Learns from the server whether speaking and reading take tokens; where that failed, the next call asks again.
  open() {
    this.#opening ??= this.#open().catch((trouble) => {
      this.#opening = null;
      throw trouble;
    });
    return this.#opening;
  }

  // What was kept in this tab, before anything is asked of the server.
  remember() {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    this.holders = kept.holders ?? [];
    bearer.use(this.holders.map((one) => one.token));
    return kept;
  }

  async #open() {
    const kept = this.remember();
    const { tokens, reading } = await whose();
    this.needsTokens = tokens;
    this.#readingTakesToken = reading === "tokens";
    if (!tokens) this.holders = [];
    this.anyone = !tokens && kept.anyone === true;
    if (!tokens) for (const agent of kept.names ?? []) this.#speakers.set(agent, { agent });
    this.#changed();
  }

  get names() {
    return [...this.#speakers.keys()].sort();
  }

  // Who sits here, as it is shown.
  get who() {
    return this.needsTokens ? this.holders.map((one) => one.name) : this.names;
  }

  get active() {
    return this.anyone || this.#speakers.size > 0 || this.holders.length > 0;
  }

  // Returns who speaks for an agent here, or undefined.
  speaker(agent) {
    return this.#speakers.get(agent) ?? (this.anyone ? { agent } : undefined);
  }

  async addToken(token) {
    const { name, speaks, answers, expires } = await whose(token);
    if (!name) throw new Trouble(401, "token", "");
    this.holders = [...this.holders.filter((one) => one.name !== name), { name, token, speaks, answers, expires }];
    this.#changed();
    return name;
  }

  // Trouble where nobody here is called so: who never spoke is asked nothing that could be answered.
  async addName(agent) {
    await ask(`agents/${ofAgent(agent)}`);
    this.#speakers.set(agent, { agent });
    this.#changed();
  }

  speakForAnyone(on) {
    this.anyone = on;
    this.#changed();
  }

  remove(name) {
    this.holders = this.holders.filter((one) => one.name !== name);
    this.#speakers.delete(name);
    this.#changed();
  }

  #changed() {
    if (this.needsTokens) {
      const of = ({ speaks, answers, token }) => [...speaks, ...answers].map((agent) => [agent, { agent, token }]);
      this.#speakers = new Map(this.holders.flatMap(of));
    }
    bearer.use(this.holders.map((one) => one.token));
    this.reads = !this.#readingTakesToken || this.holders.length > 0;
    const names = this.needsTokens ? [] : this.names;
    sessionStorage.setItem(KEY, JSON.stringify({ anyone: this.anyone, names, holders: this.holders }));
    this.dispatchEvent(new Event("change"));
  }
}
