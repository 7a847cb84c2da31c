// What a map shows, out of the columns that the server sends: one entry an agent, one a flow, in arrays that are quick to run through.

import { ofDrawing, ofPlace } from "./projection.js";

export const QUIET = 0;
export const OFFERS = 1;
export const SHORT = 2;
export const VITAL = 3;

const URGENCY = [1, 0.7, 0.45, 0.25]; // how strongly a short need of each tier shows in the field
const LISTED = 60; // of those on the map and of those without a place

export function sceneOf(data, { thing, onlyShort, proposed = true, committed = true } = {}) {
  const { agents, signals, flows } = data;
  const count = agents.name.length;
  const scene = {
    names: agents.name,
    labels: agents.label,
    x: new Float32Array(count).fill(NaN),
    y: new Float32Array(count).fill(NaN),
    turn: new Uint16Array(count), // which one of those at its very place an agent is
    status: new Uint8Array(count),
    heat: new Float32Array(count),
    life: new Float32Array(count),
    shortNeeds: new Uint16Array(count),
    openOffers: new Uint16Array(count),
    drawn: data.drawing !== null,
  };
  place(scene, agents);
  const placeless = Uint8Array.from(scene.x, Number.isNaN);
  const wanted = thing ? data.things.indexOf(thing) : -1;
  addSignals(scene, signals, thing ? wanted : null);
  if (onlyShort) for (let agent = 0; agent < count; agent += 1) if (scene.status[agent] < SHORT) scene.x[agent] = NaN;
  scene.flows = flowsOf(scene, flows, thing ? wanted : null, proposed, committed);
  scene.seen = mostUrgent(scene, (agent) => !Number.isNaN(scene.x[agent]));
  scene.homeless = mostUrgent(scene, (agent) => placeless[agent] === 1);
  return scene;
}

// Those at one place, as it was rounded, take turns, so that each can be drawn beside the others.
function place(scene, { lat, long, east_km: east, north_km: north }) {
  const met = new Map();
  for (let agent = 0; agent < scene.x.length; agent += 1) {
    const drawn = scene.drawn && east[agent] !== null;
    if (!drawn && (scene.drawn || lat[agent] === null)) continue;
    const [x, y] = drawn ? ofDrawing(east[agent], north[agent]) : ofPlace(lat[agent], long[agent]);
    scene.x[agent] = x;
    scene.y[agent] = y;
    const key = `${x} ${y}`;
    scene.turn[agent] = met.get(key) ?? 0;
    met.set(key, scene.turn[agent] + 1);
  }
}

function addSignals(scene, { agent, thing, need, tier, open, life }, wanted) {
  for (let row = 0; row < agent.length; row += 1) {
    if (wanted !== null && thing[row] !== wanted) continue;
    const who = agent[row];
    scene.life[who] = Math.max(scene.life[who], life[row] / 1000);
    if (open[row] === 0) continue;
    if (need[row]) {
      scene.shortNeeds[who] += 1;
      scene.status[who] = Math.max(scene.status[who], tier[row] === 0 ? VITAL : SHORT);
      scene.heat[who] += (open[row] / 1000) * (life[row] / 1000) * URGENCY[tier[row]];
    } else {
      scene.openOffers[who] += 1;
      scene.status[who] = Math.max(scene.status[who], OFFERS);
    }
  }
}

function flowsOf(scene, { from, to, thing, bound }, wanted, proposed, committed) {
  const kept = [];
  for (let row = 0; row < from.length; row += 1) {
    if (wanted !== null && thing[row] !== wanted) continue;
    if (!(bound[row] ? committed : proposed)) continue;
    if (Number.isNaN(scene.x[from[row]]) || Number.isNaN(scene.x[to[row]])) continue;
    kept.push(from[row], to[row], bound[row]);
  }
  return Int32Array.from(kept);
}

// Returns how many agents fit, and the most urgent of them.
function mostUrgent({ status, heat }, fits) {
  const found = [];
  for (let agent = 0; agent < status.length; agent += 1) if (fits(agent)) found.push(agent);
  found.sort((one, other) => status[other] - status[one] || heat[other] - heat[one] || one - other);
  return { count: found.length, agents: found.slice(0, LISTED) };
}

// Returns the box that holds everybody, a little larger than that; the whole world where nobody is to be seen.
export function boxOf({ x, y }) {
  let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let agent = 0; agent < x.length; agent += 1) {
    if (Number.isNaN(x[agent])) continue;
    west = Math.min(west, x[agent]);
    east = Math.max(east, x[agent]);
    north = Math.min(north, y[agent]);
    south = Math.max(south, y[agent]);
  }
  return west > east ? { west: -0.5, east: 0.5, north: -0.35, south: 0.25 } : { west, east, north, south };
}
