// Who this page may speak for. Tokens stay in this tab (sessionStorage) and go nowhere but to the server of the page.

import { Trouble, whose } from "./server.js";

const KEY = "speakers";

export class Session extends EventTarget {
  needsTokens = true;
  anyone = false; // a server without tokens lets everybody on its machine speak for anybody
  #speakers = new Map();
  #opening = null;

  // Learns from the server whether speaking takes tokens; where that failed, the next call asks again.
  open() {
    this.#opening ??= this.#open().catch((trouble) => {
      this.#opening = null;
      throw trouble;
    });
    return this.#opening;
  }

  async #open() {
    this.needsTokens = (await whose()).tokens;
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    this.anyone = !this.needsTokens && kept.anyone === true;
    for (const speaker of kept.speakers ?? []) if (Boolean(speaker.token) === this.needsTokens) this.#speakers.set(speaker.agent, speaker);
    this.#changed();
  }

  get names() {
    return [...this.#speakers.keys()].sort();
  }

  get active() {
    return this.anyone || this.#speakers.size > 0;
  }

  // Returns who speaks for an agent here, or undefined.
  speaker(agent) {
    return this.#speakers.get(agent) ?? (this.anyone ? { agent } : undefined);
  }

  async addToken(token) {
    const { agent } = await whose(token);
    if (!agent) throw new Trouble(401, "token", "");
    this.#speakers.set(agent, { agent, token });
    this.#changed();
    return agent;
  }

  addName(agent) {
    this.#speakers.set(agent, { agent });
    this.#changed();
  }

  speakForAnyone(on) {
    this.anyone = on;
    this.#changed();
  }

  remove(agent) {
    this.#speakers.delete(agent);
    this.#changed();
  }

  #changed() {
    sessionStorage.setItem(KEY, JSON.stringify({ anyone: this.anyone, speakers: [...this.#speakers.values()] }));
    this.dispatchEvent(new Event("change"));
  }
}
