// Where names stand beside their dots, so that no name covers a dot or another name: each takes the first of eight places that is free,
// those that come first choose first, and one for which there is none is left out.

const HIGH = 14; // pixels, of a line of text
const APART = 4; // between a dot and its name

// Each is how far the name's box lies from the dot, in widths and heights of the box: right, left, above, below, then slantwise.
const PLACES = [[0, -0.5], [-1, -0.5], [-0.5, -1], [-0.5, 0], [0, -1], [0, 0], [-1, -1], [-1, 0]];

// Returns where the box of each name begins, as [left, top], or null where it finds no place. `dots` are [x, y, radius], `wide` the
// widths of their names, one a dot; `window` is [left, top, right, bottom]: a dot in it has its whole name in it. All in pixels.
export function placeNames(dots, wide, window) {
  const taken = dots.map(([x, y, radius]) => [x - radius, y - radius, x + radius, y + radius]);
  return dots.map((dot, index) => {
    const inSight = meet([dot[0], dot[1], dot[0], dot[1]], window);
    for (const place of PLACES) {
      const box = boxAt(dot, place, wide[index]);
      if ((inSight && !within(box, window)) || taken.some((other) => meet(box, other))) continue;
      taken.push(box);
      return [box[0], box[1]];
    }
    return null;
  });
}

function boxAt([x, y, radius], [across, down], wide) {
  const away = radius + APART;
  const sideways = across === 0 || across === -1;
  const slant = sideways && down !== -0.5 ? Math.SQRT1_2 : 1; // a corner is as near as a side
  const left = x + across * wide + (across === 0 ? away : across === -1 ? -away : 0) * slant;
  const top = y + down * HIGH + (down === 0 ? away : down === -1 ? -away : 0) * slant;
  return [left, top, left + wide, top + HIGH];
}

const meet = ([west, north, east, south], [left, top, right, bottom]) => west <= right && east >= left && north <= bottom && south >= top;
const within = ([west, north, east, south], [left, top, right, bottom]) => west >= left && east <= right && north >= top && south <= bottom;

export const MIDDLE = HIGH / 2; // of a box, from its top
