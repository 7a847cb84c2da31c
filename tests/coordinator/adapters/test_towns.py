"""Real towns for the demo, in the same order on every machine."""

from coordinator.adapters.towns import towns_of


def test_the_largest_towns_of_a_country_come_first_and_lie_where_they_are():
    towns = towns_of("FR", 30)
    assert len(towns) == 30
    assert towns[0].name == "Paris"
    assert (round(towns[0].lat), round(towns[0].long)) == (49, 2)
    assert [town.inhabitants for town in towns] == sorted((town.inhabitants for town in towns), reverse=True)


def test_a_country_that_does_not_exist_has_no_towns():
    assert towns_of("XX", 5) == []
