// Reads the map and paints it, in a thread of its own: with many agents either takes longer than a frame, and the page goes on
// moving meanwhile. What it sends back is a picture, where the marks on it are, and what the page says of agents in words.

import { ask, bearer } from "../server.js";
import { worldPaths } from "./projection.js";
import { sceneOf } from "./scene.js";
import { Sheet } from "./sheet.js";

const sheet = new Sheet();
let data = null; // as it was read last
let scene = null; // what is drawn of it
let sent = null; // whose names the page has, once it has any: they change seldom, and are most of what there is
let reading = null; // the question under way; a newer one ends it

const ways = {
  // Reads the map, where an address is given, and tells what is to be seen of it by some filters.
  async read({ address, tokens = [], options }) {
    if (address) {
      reading?.abort();
      reading = new AbortController();
      bearer.use(tokens);
      const { signal } = reading;
      const told = await ask(address, {}, signal);
      signal.throwIfAborted(); // what was cut off while it came is no map
      data = told;
    }
    scene = sceneOf(data, options);
    const known = sent !== null && same(sent.name, scene.names) && same(sent.label, scene.labels);
    sent = data.agents;
    return { ...scene, things: data.things, drawing: data.drawing, drawnShare: data.drawn_share ?? null, ...(known ? { names: null, labels: null } : {}) };
  },

  async land({ address }) {
    sheet.land = worldPaths(await ask(address));
    return true;
  },

  paint: async ({ look }) => (scene ? sheet.paint(scene, look) : null),
};

onmessage = async ({ data: { number, way, question } }) => {
  try {
    const told = await ways[way](question);
    postMessage({ number, told }, told?.picture ? [told.picture] : []);
  } catch ({ name, status, code, message }) {
    postMessage({ number, trouble: { name, status, code, message } });
  }
};

function same(one, other) {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}
