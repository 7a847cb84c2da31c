"""A relief network to look at: makers, hospitals and care homes of one region, what they have, can make and lack. The same each time."""

from collections.abc import Iterator
from typing import Any

from coordinator.signals import event_json

__all__ = ["CITIES", "crowd", "relief"]

HOUR_US = 3_600_000_000
Line = bytes

# Name -> latitude, longitude (rounded to a tenth of a degree) of places that people know.
CITIES = {
    "rennes": (48.1, -1.7),
    "nantes": (47.2, -1.6),
    "brest": (48.4, -4.5),
    "quimper": (48.0, -4.1),
    "vannes": (47.7, -2.8),
    "angers": (47.5, -0.6),
    "tours": (47.4, 0.7),
    "caen": (49.2, -0.4),
    "rouen": (49.4, 1.1),
    "lille": (50.6, 3.1),
    "paris": (48.9, 2.4),
    "orleans": (47.9, 1.9),
    "poitiers": (46.6, 0.3),
    "limoges": (45.8, 1.3),
    "bordeaux": (44.8, -0.6),
    "toulouse": (43.6, 1.4),
    "montpellier": (43.6, 3.9),
    "marseille": (43.3, 5.4),
    "nice": (43.7, 7.3),
    "lyon": (45.8, 4.8),
    "grenoble": (45.2, 5.7),
    "clermont": (45.8, 3.1),
    "dijon": (47.3, 5.0),
    "nancy": (48.7, 6.2),
    "strasbourg": (48.6, 7.8),
    "gent": (51.1, 3.7),
    "liege": (50.6, 5.6),
    "koeln": (50.9, 7.0),
    "geneve": (46.2, 6.1),
    "torino": (45.1, 7.7),
}
HOUSES = (("chu", "hospital", "CHU"), ("ehpad", "care-home", "EHPAD"), ("clinique", "clinic", "Clinique"))
SHOPS = (("atelier", "Atelier"), ("fablab", "Fablab"), ("makers", "Makers"))
THINGS = ("face-shield", "gown", "mask-ffp2", "ventilator-valve")


def relief(now_us: int) -> Iterator[Line]:
    """Yield what some ninety agents say, in order of time, over the two days before now."""
    lines = [*_catalogue(now_us), *_makers(now_us), *_houses(now_us), *_without_place(now_us)]
    yield from (line for _, line in sorted(lines))


def _said(at_us: int, kind: str, agent: str, subject: str, data: dict[str, Any] | None) -> tuple[int, Line]:
    return at_us, event_json(kind, f"agent:{agent}", subject, at_us, data)


def _pieces(value: float, unit: str = "1") -> dict[str, Any]:
    return {"value": value, "unit": unit}


def _place(city: str, shift: int) -> dict[str, float]:
    lat, long = CITIES[city]
    return {"lat": round(lat + (shift % 5 - 2) * 0.06, 2), "long": round(long + (shift % 7 - 3) * 0.08, 2)}


def _catalogue(now_us: int) -> Iterator[tuple[int, Line]]:
    start_us = now_us - 23 * HOUR_US
    masses = {"face-shield": 0.05, "gown": 0.2, "mask-ffp2": 0.01, "ventilator-valve": 0.03, "pla-filament": 1, "fabric-sms": 0.04}
    for name, mass_kg in masses.items():
        unit = {"pla-filament": "kg", "fabric-sms": "m2"}.get(name, "1")
        yield _said(start_us, "resource", "atelier-rennes", name, {"resource": name, "unit": unit, "mass_kg": mass_kg})
    shield = {
        "recipe": "shield-from-filament",
        "outputs": [{"resource": "face-shield", "quantity": _pieces(40)}],
        "inputs": [{"resource": "pla-filament", "quantity": _pieces(1, "kg")}],
        "steps": [{"process": "fdm-printing", "effort": _pieces(8, "h")}],
    }
    gown = {
        "recipe": "gown-from-fabric",
        "outputs": [{"resource": "gown", "quantity": _pieces(10)}],
        "inputs": [{"resource": "fabric-sms", "quantity": _pieces(28, "m2")}],
        "steps": [{"process": "sewing", "effort": _pieces(5, "h")}],
    }
    yield _said(start_us, "recipe", "atelier-rennes", "shield", shield)
    yield _said(start_us, "recipe", "fablab-nantes", "gown", gown)


def _makers(now_us: int) -> Iterator[tuple[int, Line]]:
    for number, city in enumerate(CITIES):
        word, title = SHOPS[number % 3]
        agent, at_us = f"{word}-{city}", now_us - (22 - number % 20) * HOUR_US
        yield _said(
            at_us, "agent", agent, "agent", {"name": f"{title} {city.title()}", "place": _place(city, number), "classified_as": ["maker"]}
        )
        life = {"expires": _instant(now_us + (6 + number % 9 * 12) * HOUR_US)} if number % 2 else {}
        thing = THINGS[number % 4]
        yield _said(at_us + 1, "offer", agent, thing, {"resource": thing, "quantity": _pieces(60 + number * 37 % 240), **life})
        if number % 3 == 0:
            yield _said(at_us + 2, "offer", agent, "pla-filament", {"resource": "pla-filament", "quantity": _pieces(4 + number % 7, "kg")})
        if number % 2 == 0:
            window = {"begin": _instant(now_us), "end": _instant(now_us + 7 * 24 * HOUR_US)}
            process = "fdm-printing" if number % 4 else "sewing"
            yield _said(at_us + 3, "capacity", agent, process, {"process": process, "effort": _pieces(20 + number, "h"), **window})


def _houses(now_us: int) -> Iterator[tuple[int, Line]]:
    for number, city in enumerate((*CITIES, *list(CITIES)[:22])):
        word, sort, title = HOUSES[(number + number // 30) % 3]
        agent, at_us = f"{word}-{city}", now_us - (20 - number % 19) * HOUR_US
        yield _said(
            at_us, "agent", agent, "agent", {"name": f"{title} {city.title()}", "place": _place(city, number + 3), "classified_as": [sort]}
        )
        for turn, thing in enumerate((THINGS[number % 4], THINGS[(number + 1) % 4])):
            due_us = now_us + (24 + number * 7 % 240) * HOUR_US
            tier = 0 if sort == "hospital" and turn == 0 else 1 + (number + turn) % 3
            yield _said(
                at_us + 1 + turn,
                "need",
                agent,
                thing,
                {"resource": thing, "quantity": _pieces(40 + number * 53 % 210), "tier": tier, "due": _instant(due_us)},
            )
        if number % 6 == 0:
            hours = {"process": "sewing", "effort": _pieces(6 + number % 5, "h"), "tier": 2}
            yield _said(at_us + 4, "need", agent, "sewing", hours)


def _without_place(now_us: int) -> Iterator[tuple[int, Line]]:
    at_us = now_us - HOUR_US
    yield _said(at_us, "agent", "reserve-nationale", "agent", {"name": "Réserve nationale", "classified_as": ["depot"]})
    yield _said(at_us + 1, "offer", "reserve-nationale", "gown", {"resource": "gown", "quantity": _pieces(500)})
    yield _said(at_us + 2, "need", "reserve-nationale", "oxygen-sensor", {"resource": "oxygen-sensor", "quantity": _pieces(30), "tier": 0})
    yield _said(at_us + 3, "agent", "samu-42", "agent", {"name": "SAMU 42", "classified_as": ["ambulance"]})
    yield _said(at_us + 4, "need", "samu-42", "mask-ffp2", {"resource": "mask-ffp2", "quantity": _pieces(80), "tier": 0})


def _instant(at_us: int) -> str:
    from coordinator.times import format_instant

    return format_instant(at_us // 1_000_000 * 1_000_000)


def crowd(agents: int, now_us: int) -> Iterator[Line]:
    """Yield so many agents spread over Europe by a fixed pattern, every second one with an offer, the others with a need."""
    for number in range(agents):
        lat = 37.0 + (number * 0.754877666) % 1 * 22
        long = -9.0 + (number * 0.569840291) % 1 * 36
        name, at_us = f"agent-{number:05d}", now_us - HOUR_US + number
        thing = THINGS[number // 2 % 4]
        kind = "need" if number % 2 else "offer"
        data: dict[str, Any] = {
            "resource": thing,
            "quantity": _pieces(10 + number % 90),
            "place": {"lat": round(lat, 2), "long": round(long, 2)},
        }
        yield event_json(kind, f"agent:{name}", thing, at_us, data | ({"tier": number // 8 % 4} if number % 2 else {}))
