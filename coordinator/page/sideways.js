// What is wider than its place and scrolls sideways fades out where it goes on, so that one sees that there is more.

const WIDE = "nav.side ul, .layers, .rows";
const FADE = "2.25rem";
const NEARLY = 2; // pixels: rounded widths are no more to see

// Follows what somebody scrolls, and windows that change their width.
export function watchSides() {
  document.addEventListener("scroll", ({ target }) => target instanceof Element && target.matches(WIDE) && mark(target), { capture: true, passive: true });
  addEventListener("resize", showSides);
}

let asked = false;

// Marks all that is there now, once it was laid out.
export function showSides() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const places = [...document.querySelectorAll(WIDE)];
    const sides = places.map(sidesOf); // all are measured before any is changed
    places.forEach((place, index) => fade(place, sides[index]));
  });
}

const mark = (place) => fade(place, sidesOf(place));

const sidesOf = ({ scrollLeft, clientWidth, scrollWidth }) => [scrollLeft > NEARLY, scrollLeft + clientWidth < scrollWidth - NEARLY];

function fade(place, sides) {
  ["--more-before", "--more-after"].forEach((name, index) => {
    const wide = sides[index] ? FADE : "0px";
    if (place.style.getPropertyValue(name) !== wide) place.style.setProperty(name, wide);
  });
}
