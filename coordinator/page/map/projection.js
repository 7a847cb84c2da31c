// From places to the plane that is drawn, and back. A plane is some 1 wide; y grows downwards. Places by Mercator's projection, which
// keeps small shapes; drawings from distances as they are.

const FARTHEST_NORTH = 85;
const EQUATOR_KM = 40_075;

export function ofPlace(lat, long) {
  const north = Math.max(-FARTHEST_NORTH, Math.min(FARTHEST_NORTH, lat)) * (Math.PI / 180);
  return [long / 360, -Math.log(Math.tan(Math.PI / 4 + north / 2)) / (2 * Math.PI)];
}

function toPlace(x, y) {
  return [(2 * Math.atan(Math.exp(-y * 2 * Math.PI)) - Math.PI / 2) * (180 / Math.PI), x * 360];
}

// Returns how many kilometres one unit of the plane is at a height of it.
export function kilometresAt(y) {
  return EQUATOR_KM * Math.cos(toPlace(0, y)[0] * (Math.PI / 180));
}

export function ofDrawing(eastKm, northKm) {
  return [eastKm / EQUATOR_KM, -northKm / EQUATOR_KM];
}

// A step across the 180th meridian is told as one nearly around the world.
function shortWay(step, around) {
  return step - around * Math.round(step / around);
}

// Returns by how many times around the world a line that goes on across that meridian is to be moved, so that its middle lies in the world.
function turnsBack(whole, around) {
  let [x] = whole;
  let [west, east] = [x, x];
  for (let index = 2; index < whole.length; index += 2) {
    x += shortWay(whole[index], around);
    west = Math.min(west, x);
    east = Math.max(east, x);
  }
  return -Math.round((west + east) / 2 / around);
}

// Returns coasts and borders as paths in the plane, each with the box it lies in, so that what is out of sight is not drawn.
export function worldPaths({ steps, coasts, borders }) {
  const line = (whole, closed) => {
    const path = new Path2D();
    const around = 360 * steps;
    const moved = around * turnsBack(whole, around);
    let [x, y] = whole;
    let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let index = 0; index < whole.length; index += 2) {
      if (index > 0) {
        x += shortWay(whole[index], around);
        y += whole[index + 1];
      }
      const [px, py] = ofPlace(y / steps, (x + moved) / steps);
      if (index === 0) path.moveTo(px, py);
      else path.lineTo(px, py);
      west = Math.min(west, px);
      east = Math.max(east, px);
      north = Math.min(north, py);
      south = Math.max(south, py);
    }
    if (closed) path.closePath();
    return { path, west, north, east, south };
  };
  return { coasts: coasts.map((whole) => line(whole, true)), borders: borders.map((whole) => line(whole, false)) };
}
