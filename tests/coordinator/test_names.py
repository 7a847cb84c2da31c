"""Names: what folds to one, what is near, who is asked about it, and that nothing is ever matched by it."""

from difflib import SequenceMatcher
from random import Random
from typing import Any

import pytest

from coordinator import names
from coordinator.names import NameIndex, Names, folded
from tests.support.desk import Desk
from tests.support.events import capacity, hours, need, offer, resource
from tests.support.networks import recipe


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Face_Shields", "face-shield", id="case, separator and plural"),
        pytest.param("écran facial", "Ecran-Facial", id="accents"),
        pytest.param("STRASSE", "straße", id="sharp s"),
        pytest.param("assemblies", "assembly", id="ies"),
        pytest.param("face  shield", "faceshield", id="no separator at all"),
    ],
)
def test_these_names_fold_to_one(one: str, other: str):
    assert folded(one) == folded(other)


@pytest.mark.parametrize("name", ["glass", "brass", "gas", "M3", ""])
def test_no_letter_is_lost_that_is_no_plural(name: str):
    assert folded(name) == name.lower()


@pytest.mark.parametrize(
    ("meant", "said"),
    [
        ("face-shield", "facesheild"),
        ("face-shield", "face-shiled"),
        ("nitrile-gloves", "nitril gloves"),
        ("visor", "vizor"),
        ("surgicalMasks", "surgical-mask"),
        ("mask", "masks"),
        ("M3", "m-3"),
    ],
)
def test_these_are_near(meant: str, said: str):
    assert NameIndex([meant, "hand sanitizer", "gown"]).near(said) == [meant]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("m3-bolt", "m4-bolt", id="digits that differ are two things"),
        pytest.param("mask", "gown", id="different words"),
        pytest.param("kn95", "n95", id="short names differ by one letter"),
        pytest.param("surgical-mask", "handmade-mask", id="half in common"),
    ],
)
def test_these_are_not_near(one: str, other: str):
    assert NameIndex([one]).near(other) == []


def test_a_name_is_not_near_itself_and_the_nearest_comes_first():
    assert NameIndex(["visor-frame", "visor-frames", "visr-frame"]).near("visor-frame") == ["visor-frames", "visr-frame"]


def test_a_lonely_name_is_listed_with_what_may_have_been_meant():
    desk = Desk(need("clinic", 5, "facesheild"), *(offer(f"maker-{number}", 1, "face-shield") for number in range(12)))
    (lonely,) = Names(desk.core.network).lonely()
    assert (lonely.name, lonely.agent, lonely.use) == ("facesheild", "clinic", "needed")
    assert lonely.sentence() == "`facesheild`: did you mean `face-shield`, offered by 12?"


def test_near_names_are_never_matched():
    assert (
        Desk(offer("a", 5, "facesheild", place={"lat": 1, "long": 1}), need("b", 5, "face-shield", place={"lat": 1, "long": 1})).cycle()
        == []
    )


def test_two_lonely_names_point_at_each_other():
    desk = Desk(offer("a", 5, "facesheild"), need("b", 5, "face-shield"))
    assert [lonely.sentence() for lonely in Names(desk.core.network).lonely()] == [
        "`face-shield`: did you mean `facesheild`, offered by 1?",
        "`facesheild`: did you mean `face-shield`, needed by 1?",
    ]


CATALOGUE: dict[str, Any] = {"face-shield": {"unit": "1", "aliases": ["visor"]}}


def test_a_name_or_alias_of_the_catalogue_is_never_lonely():
    desk = Desk(offer("a", 5, "visor"), offer("b", 5, "gown"), resources=CATALOGUE)
    assert [lonely.name for lonely in Names(desk.core.network).lonely()] == ["gown"]


def test_a_catalogue_name_that_nobody_uses_is_offered_as_meant():
    desk = Desk(offer("a", 5, "visors"), resources=CATALOGUE)
    (lonely,) = Names(desk.core.network).lonely()
    assert lonely.sentence() == "`visors`: did you mean `face-shield`, in the charter's catalogue?"


def test_a_near_name_counted_in_other_units_is_told_so():
    desk = Desk(offer("a", 3, "gowns", unit="kg"), offer("b", 3, "gowns", unit="kg"), need("c", 3, "gown"))
    [lonely] = Names(desk.core.network).lonely()
    assert lonely.sentence() == "`gown`: did you mean `gowns`, offered by 2, counted in mass?"
    desk = Desk(offer("a", 3, "gowns"), resources={"gown": {"unit": "kg"}})
    [lonely] = Names(desk.core.network).lonely()
    assert lonely.sentence() == "`gowns`: did you mean `gown`, in the charter's catalogue, counted in mass?"


def test_a_stated_alias_is_the_name_it_stands_for():
    desk = Desk(resource("a", "face-shield", aliases=["visor"]), offer("a", 5, "face-shield"), need("b", 5, "visor"))
    assert Names(desk.core.network).lonely() == ()


def test_processes_and_resources_of_one_name_are_two_names():
    desk = Desk(capacity("a", 5, "sewing"), hours("b", 5, "sewing"), need("b", 5, "sewing", subject="thing"))
    assert [(lonely.sort, lonely.name) for lonely in Names(desk.core.network).lonely()] == [("resource", "sewing")]


def test_a_recipe_uses_names_too():
    desk = Desk(offer("a", 5, "foil"), recipe("b", "visor", {"visor": 1}, {"foil": 1}))
    assert [(lonely.name, lonely.use) for lonely in Names(desk.core.network).lonely()] == [("visor", "in a recipe")]


def test_a_lookup_compares_few_names_however_many_there_are(monkeypatch: pytest.MonkeyPatch):
    random = Random(3)
    known = ["part-" + "".join(random.choice("abcdefghij") for _ in range(8)) for _ in range(4_000)]
    compared = 0

    class Counting(SequenceMatcher[str]):
        def quick_ratio(self) -> float:
            nonlocal compared
            compared += 1
            return super().quick_ratio()

    index = NameIndex(known)
    monkeypatch.setattr(names, "SequenceMatcher", Counting)
    for name in known[:100]:
        assert name in index.near(name[:-2] + name[-1] + name[-2]) or name[-1] == name[-2], "two letters swapped"
    assert compared <= 100 * names.MOST_COMPARED
