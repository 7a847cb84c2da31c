// The stream as it grows (server-sent events), read by hand so that silence can be told from death: it resumes after the last
// record it saw, starts anew when the log is another one, and says at any time how it does.

import { bearer, readingHeaders } from "./server.js";

const SILENCE_MS = 40_000; // the server says at least every 15 s that it is still there
const AGAIN_MS = [500, 1_000, 2_000, 5_000, 10_000];
const BACKLOG = 200; // records of before, so that the tail is not empty at first
const KEPT = 600;

// One record as it came. Its source and kind are read off the text, which is all that most are ever asked for; the rest on demand.
class Record {
  #text;
  #event;
  #logtime;

  constructor(stream, position, text) {
    this.stream = stream;
    this.position = position;
    this.#text = text;
  }

  get source() {
    return quoted(this.#text, '"source":"') ?? this.event.source;
  }

  get type() {
    return quoted(this.#text, '"type":"') ?? this.event.type;
  }

  get event() {
    this.#read();
    return this.#event;
  }

  get logtime() {
    this.#read();
    return this.#logtime;
  }

  #read() {
    if (this.#event) return;
    ({ event: this.#event, logtime: this.#logtime } = JSON.parse(this.#text));
  }
}

// Returns the value of an attribute whose text needs no unquoting, as names and kinds never do; undefined where it is written otherwise,
// or stands in the data as well.
function quoted(text, name) {
  const start = text.indexOf(name);
  return start < 0 || text.indexOf(name, start + 1) >= 0 ? undefined : text.slice(start + name.length, text.indexOf('"', start + name.length));
}

export class Stream extends EventTarget {
  records = []; // the newest last
  state = "connecting"; // then live, lost or stale
  heardMs = 0; // when anything came, by this machine's clock
  position = null;
  received = 0; // records since the page was opened
  #controller = null;
  #failures = 0;
  #wake = null; // ends the wait before the next try
  #begunMs = 0; // the try that is under way

  start() {
    this.#follow();
    setInterval(() => this.#watch(), 1_000);
    addEventListener("online", () => this.#controller?.abort());
  }

  // Tries again now: something changed that may let it.
  again() {
    this.#failures = 0;
    this.#wake?.();
    this.#controller?.abort();
  }

  async #follow() {
    for (;;) {
      try {
        await this.#readOn();
      } catch {
        // Whatever ended it, it is taken up again below.
      }
      this.#become("lost");
      await new Promise((done) => {
        this.#wake = done;
        setTimeout(done, AGAIN_MS[Math.min(this.#failures, AGAIN_MS.length - 1)]);
      });
      this.#failures += 1;
    }
  }

  async #readOn() {
    this.#controller = new AbortController();
    this.#begunMs = Date.now();
    const after = this.position ?? (await this.#before());
    const { token } = bearer;
    const response = await fetch(`events?after=${after}`, { signal: this.#controller.signal, headers: readingHeaders({ accept: "text/event-stream" }) });
    if (response.status === 400) [this.position, this.records] = [null, []]; // another log: what was seen before says nothing about this one
    if (response.status === 401) bearer.turn(token);
    if (!response.ok) throw new Error(`${response.status}`);
    this.#failures = 0;
    this.#alive();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.#alive();
      const frames = (rest + value).split("\n\n");
      rest = frames.pop();
      this.#take(frames);
    }
  }

  async #before() {
    const response = await fetch("readyz", { headers: readingHeaders(), signal: this.#controller.signal });
    if (!response.ok) throw new Error(`${response.status}`); // while the log is being read, its end is not known
    const { entries } = await response.json();
    this.oldUntil = entries - 1;
    return Math.max(-1, entries - 1 - BACKLOG);
  }

  #take(frames) {
    const fresh = [];
    let old = 0;
    for (const frame of frames) {
      const [id, kind, data] = frame.split("\n", 3);
      if (!id.startsWith("id: ")) continue; // a sign of life
      this.position = Number(id.slice(4));
      if (!data?.startsWith("data: ")) continue; // how far all was sent, where the rest is shown to nobody
      const record = new Record(kind.slice(7), this.position, data.slice(6));
      if (this.position > this.oldUntil) fresh.push(record);
      else old += 1;
      this.records.push(record);
    }
    if (this.records.length > KEPT) this.records.splice(0, this.records.length - KEPT);
    this.received += fresh.length;
    if (fresh.length || old) this.dispatchEvent(new CustomEvent("records", { detail: { fresh } }));
  }

  #alive() {
    this.heardMs = Date.now();
    this.#become("live");
  }

  #watch() {
    if (Date.now() - Math.max(this.heardMs, this.#begunMs) <= SILENCE_MS) return;
    if (this.state === "live") this.#become("stale");
    this.#controller?.abort(); // also a try that was taken up and never answered
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
