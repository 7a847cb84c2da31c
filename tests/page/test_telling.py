"""What the server and makers said is told in the reader's language and time, and nothing that somebody wrote is altered by that."""

from typing import Any

import pytest
from playwright.sync_api import Page

from coordinator.lifting import OF_RECIPES
from tests.page.conftest import Opened
from tests.support.serving import Served

PARIS = {"timezone_id": "Europe/Paris"}


def told(page: Page, sentence: str) -> str:
    """A sentence of the server as a view shows it."""
    said: str = page.evaluate(
        """async sentence => { const said = (await import('/page/telling.js')).inWords(sentence); return said.textContent ?? said; }""",
        sentence,
    )
    return said.replace("\u202f", " ").replace("\u00a0", " ")


def moments(page: Page, begin: str, end: str, most: int = 7) -> list[tuple[str, str]]:
    """Round moments between two instants: each as an instant, and as the reader's text."""
    found: list[Any] = page.evaluate(
        """async ([begin, end, most]) => (await import('/page/words.js')).roundMoments(Date.parse(begin), Date.parse(end), most)
          .map(([ms, text]) => [new Date(ms).toISOString(), text])""",
        [begin, end, most],
    )
    return [tuple(each) for each in found]


def labels(page: Page, times: list[str]) -> list[str]:
    """What stands below a picture over these times, from the left to the right."""
    found: list[str] = page.evaluate(
        """async times => [...(await import('/page/plots.js')).stacked(times, [times.map(() => 1)], ['tier-0'], 'x')
          .querySelectorAll(':scope > text')].map(each => each.textContent)""",
        times,
    )
    return found


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("there is no proposal '9999-99-99T99:99:99Z'; check the id", id="a name shaped like an instant that is none"),
        pytest.param("the recipe a/recipe/2026-13-01T00:00:00Z makes it", id="a recipe's name, in a sentence of no known form"),
        pytest.param("it expired at 2026-02-30T00:00:00Z", id="a day that does not exist"),
        pytest.param(
            'time is "2026-02-30T00:00:00Z"; no such day exists: check year, month and day.', id="what a maker wrote, told at the door"
        ),
        pytest.param('time is "noon"; an RFC 3339 time was expected: write it like 2026-03-08T00:00:00Z.', id="an advice of the door"),
    ],
)
def test_an_instant_in_a_name_or_an_advice_stays_as_it_is(served: Served, open_page: Opened, sentence: str) -> None:
    assert told(open_page(served, **PARIS), sentence) == sentence


def test_the_instants_that_the_server_wrote_are_told_by_the_readers_clock(served: Served, open_page: Opened) -> None:
    page = open_page(served, **PARIS)
    name = "2026-03-08T00:00:00Z"  # an id that looks like the instant that follows
    said = told(page, f"proposal '{name}' expired at {name}; look for a newer one")
    assert said == f"proposal '{name}' expired at 8 Mar 2026, 01:00; look for a newer one"
    closed = told(page, "its window closed at 2026-03-08T00:00:00Z, and now is 2026-07-08T00:00:00Z")
    assert closed == "its window closed at 8 Mar 2026, 01:00, and now is 8 Jul 2026, 02:00"


@pytest.mark.parametrize(
    ("sentence", "french"),
    [
        ("the event '007' of agent:a was said before with other content; the first stands: use a new id", "l’événement 007 de agent:a"),
        (
            "the event '2026-03-08T00:00:00Z' of agent:a was said before with other content; the first stands: use a new id",
            "8T00:00:00Z de",
        ),
        ('data.quantity.value is 1.23456789012345, in "kg"; amounts are whole micrograms: round it to fewer digits.', "1.23456789012345"),
        (
            "data.quantity.value is 1,000; a quantity is above zero: say how much there is, or withdraw it, with null for all of data.",
            "vaut 1,000 ;",
        ),
        (
            "a wider radius: 1,200 offers with 3,400 unpromised, the nearest 12.5 km away",
            "1 200 offres avec 3 400 sans promesse, à 12,5 km",
        ),
        (
            "the recipe lib/recipe/chair makes it, but a run takes 10 of plank, and 6 is free in all",
            "elle prend 10 de plank, et il n’y en a que 6 de libre en tout",
        ),
        (
            "the recipe lib/recipe/chair makes it, but a run takes 1.5 h of milling, and no capacity that can do it has more than 1 h free",
            "elle prend 1.5 h de milling, et aucune capacité capable de le faire n’en a plus de 1 h de libre",
        ),
        (
            "the recipe lib/recipe/chair makes it, but the least batch, of 6 runs, takes 6 h of milling, "
            "and no capacity that can do it has more than 4 h free",
            "le plus petit lot, de 6 fois, prend 6 h de milling, et aucune capacité",
        ),
        (
            "the recipe lib/recipe/chair makes it, but the least batch, of 6 runs, takes 60 of plank, "
            "and 12 is free in all: 1,200 more is in proposals or promised",
            "le plus petit lot, de 6 fois, prend 60 de plank, et il n’y en a que 12 de libre en tout : 1 200 de plus sont",
        ),
        (
            "the recipes seed → corn → seed go round and gain: a plan goes round up to 8 times for one delivery, where that serves more, "
            "and begins with what lies there and is not promised",
            "les recettes seed → corn → seed tournent en rond",
        ),
        (
            "the recipe lib/recipe/chair makes it, but the least batch takes 60 of plank, "
            "and the 50 offers with most, from which one input is drawn at most, have 50 free",
            "le plus petit lot prend 60 de plank, et les 50 offres qui en ont le plus",
        ),
        (
            "the recipe lib/recipe/leg makes leg for that, but a run takes 10 of plank, "
            "and 0 is free in all: 1,200 more is in proposals or promised",
            "la recette lib/recipe/leg fait pour cela leg, mais chaque fois elle prend 10 de plank, "
            "et il n’y en a que 0 de libre en tout : 1 200 de plus sont proposés ou promis",
        ),
        (
            "the recipe lib/recipe/chair makes it, but no route and no two known places connect a-shop with clinic",
            "en fait, mais aucun trajet et aucun couple de lieux connus ne relie a-shop à clinic",
        ),
        ("at least 4 more of plank, in any offers", "au moins 4 de plank en plus, en une ou plusieurs offres"),
        ("only offered in mass and pieces, needed in length", "offert seulement en masse et en pièces, demandé en longueur"),
        ('data.answer is "no"; "accept", "decline" or "counter" was expected: send one of these.', '"accept", "decline" ou "counter"'),
        ("tier 0 or 1: the charter does not let clinic claim it", "le rang 0 ou 1"),
        ("no amount of supply at its place is enough: packs or minimum parts keep it from taking all", "aucune quantité de plus sur place"),
        (OF_RECIPES, "plus d’heures ou d’intrants des recettes"),
        (
            "no amount of supply in a/offer/x, the nearest offer is enough: packs or minimum parts keep it from taking all",
            "dans a/offer/x, l’offre la plus proche",
        ),
        ("time is missing; an RFC 3339 time was expected: write it like 2026-03-08T00:00:00Z.", "time manque"),
    ],
)
def test_in_french_figures_and_words_of_the_server_are_told_anew_and_those_of_makers_stay(
    served: Served, open_page: Opened, sentence: str, french: str
) -> None:
    assert french in told(open_page(served, locale="fr-FR"), sentence)


@pytest.mark.parametrize(("enough", "without"), [(0, 0), (0, 3), (5, 0), (1, 1)])
@pytest.mark.parametrize("bottlenecks", [True, False])
def test_nothing_is_said_of_none_at_all(served: Served, open_page: Opened, enough: int, without: int, bottlenecks: bool) -> None:
    """Where no bottleneck is listed no other things are spoken of."""
    found = served.get("/network/weak-points") | {"enough": enough, "without_supply": without}
    if not bottlenecks:
        found["bottlenecks"] = []
    page = open_page(
        served,
        "/network?show=weak",
        locale="fr-FR",
        prepare=lambda page: page.route("**/network/weak-points*", lambda route: route.fulfill(json=found)),
    )
    said = " ".join(page.locator("main .notice").all_inner_texts())
    assert ("passe" in said) == (enough > 0)
    assert ("demandée" in said) == (without > 0)
    assert (f"dans {found['needs_without_supply']} besoin" in said) == (without > 0)
    assert ("autre" in said) == (bottlenecks and enough > 0)


# -- axes of time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        pytest.param("2026-03-28T10:00:00Z", "2026-03-30T10:00:00Z", id="an hour is left out"),
        pytest.param("2026-10-24T10:00:00Z", "2026-10-26T10:00:00Z", id="an hour comes twice"),
    ],
)
def test_moments_stay_round_where_the_clock_is_changed(served: Served, open_page: Opened, begin: str, end: str) -> None:
    found = moments(open_page(served, **PARIS), begin, end, 8)
    assert len(found) >= 6
    assert {text for _, text in found if ":" in text} <= {"06:00", "12:00", "18:00"}
    assert sum(":" not in text for _, text in found) == 2  # each midnight by its date


def test_the_hour_that_is_left_out_is_told_once(served: Served, open_page: Opened) -> None:
    found = moments(open_page(served, **PARIS), "2026-03-28T23:00:00Z", "2026-03-29T03:00:00Z")
    assert [text for _, text in found] == ["29 Mar", "01:00", "03:00", "04:00", "05:00"]
    assert found == sorted(set(found))


def test_where_years_matter_they_are_told(served: Served, open_page: Opened) -> None:
    page = open_page(served)
    assert [text for _, text in moments(page, "2026-03-08T00:00:00Z", "2027-03-08T00:00:00Z")] == [
        "Apr 2026",
        "Jul 2026",
        "Oct 2026",
        "Jan 2027",
    ]
    for years in (2, 5, 20, 900):
        found = moments(page, "2026-03-08T00:00:00Z", f"{2026 + years}-03-08T00:00:00Z")
        assert 2 <= len(found) <= 8
        assert all(text.startswith("Jan ") or years == 2 for _, text in found)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param(
            ["2026-03-08T10:00:05Z", "2026-03-08T10:00:20Z"], ["10:00:05", "10:00:20"], id="less than a minute has no round moment"
        ),
        pytest.param(
            ["2026-03-08T10:01:00Z", "2026-03-08T10:03:00Z", "2026-03-19T10:01:00Z", "2026-03-19T10:03:00Z"],
            ["8 Mar 2026, 10:01", "19 Mar 2026, 10:03"],
            id="every round moment lies in the time that is drawn short",
        ),
        pytest.param(["2026-03-08T10:00:05Z"], ["10:00:05"], id="one sample"),
    ],
)
def test_a_picture_with_no_round_moment_in_it_tells_its_ends(
    served: Served, open_page: Opened, times: list[str], expected: list[str]
) -> None:
    assert labels(open_page(served), times)[-len(expected) :] == expected
