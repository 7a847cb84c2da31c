// Where names stand beside their dots, so that no name covers a dot or another name: each takes the first of eight places that is free,
// those that come first choose first, and one for which there is none is left out.

export const HIGH = 14; // pixels, of a line of text
const APART = 4; // between a dot and its name

// On which side of the dot a name's box lies: -1 left of it or above, 0 amid, 1 right of it or below.
const PLACES = [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [1, 1], [-1, -1], [-1, 1]];

// Returns where the box of each name begins, as [left, top], or null where it finds no place. `dots` are [x, y, radius], `wide` the
// widths of their names, one a dot; `seen` is [left, top, right, bottom]: a dot in it has its whole name in it. All in pixels.
export function placeNames(dots, wide, seen) {
  const taken = dots.map(([x, y, radius]) => [x - radius, y - radius, x + radius, y + radius]);
  return dots.map((dot, index) => {
    const inSight = meet([dot[0], dot[1], dot[0], dot[1]], seen);
    for (const place of PLACES) {
      const box = boxAt(dot, place, wide[index]);
      if ((inSight && !within(box, seen)) || taken.some((other) => meet(box, other))) continue;
      taken.push(box);
      return [box[0], box[1]];
    }
    return null;
  });
}

function boxAt([x, y, radius], [across, down], wide) {
  const away = (radius + APART) * (across && down ? Math.SQRT1_2 : 1); // a corner is as near as a side
  const left = x + across * away + ((across - 1) / 2) * wide;
  const top = y + down * away + ((down - 1) / 2) * HIGH;
  return [left, top, left + wide, top + HIGH];
}

const meet = ([west, north, east, south], [left, top, right, bottom]) => west <= right && east >= left && north <= bottom && south >= top;
const within = ([west, north, east, south], [left, top, right, bottom]) => west >= left && east <= right && north >= top && south <= bottom;
