"""A tree tells how a thing is made at every level, ends where it would go round, and passes on what is wanted above."""

from typing import Any

from coordinator.trees import Branch, tree
from tests.support.desk import Desk
from tests.support.events import amount, capacity, event, need, offer, tick

AT: dict[str, Any] = {"place": {"lat": 1.0, "long": 1.0}}


def recipe(name: str, gives: str, *takes: str, process: str | None = None, who: str = "maker") -> bytes:
    steps = [{"process": process, "effort": amount(2, "h")}] if process else []
    data = {"recipe": name, "outputs": [{"resource": gives, "quantity": amount(5)}], "steps": steps}
    return event("recipe", f"agent:{who}", name, 0, data | {"inputs": [{"resource": each, "quantity": amount(3)} for each in takes]})


def names(branch: Branch) -> Any:
    return branch.name, [[names(each) for each in way.takes] for way in branch.ways]


def test_every_level_is_told_with_what_a_run_takes_and_what_is_free() -> None:
    desk = Desk(
        recipe("assemble", "valve", "body", process="fitting"),
        recipe("print", "body", "resin"),
        offer("shop", 40, "resin", **AT),
        capacity("maker", 8, "fitting"),
        need("clinic", 6, "valve", tier=0, **AT),
    )
    desk.cycle()
    valve = tree(desk.core, "valve")
    assert names(valve) == ("valve", [[("body", [[("resin", [])]]), ("fitting", [])]])
    [way] = valve.ways
    assert (way.recipe, way.gives.to_json()) == ("maker/recipe/assemble", amount(5))
    body, fitting = way.takes
    [resin] = body.ways[0].takes
    assert [each.per_run and each.per_run.to_json() for each in (body, fitting, resin)] == [amount(3), amount(2, "h"), amount(3)]
    assert [each.to_json() for each in (*resin.free, *fitting.free)] == [amount(40), amount(8, "h")]
    assert (valve.short_needs, valve.share_short, valve.pressure, valve.passed_on) == (1, 1.0, (0, 0), False)
    assert [(each.pressure, each.passed_on) for each in (body, resin, fitting)] == [((0, 0), True)] * 3
    assert [valve.level, body.level, resin.level] == [0, 1, 2]


def test_its_own_pressure_counts_where_it_is_the_more_urgent() -> None:
    desk = Desk(
        recipe("assemble", "valve", "body"),
        offer("shop", 2, "valve", **AT),
        need("late", 6, "valve", tier=3, **AT),
        offer("shop", 2, "body", subject="b", **AT),
        need("first", 6, "body", tier=1, **AT),
    )
    desk.cycle()
    valve = tree(desk.core, "valve")
    [body] = valve.ways[0].takes
    assert (valve.pressure, body.pressure, body.passed_on) == ((3, 0), (1, 0), False)


def test_a_ring_of_recipes_ends_where_it_would_begin_again() -> None:
    desk = Desk(recipe("there", "a", "b"), recipe("back", "b", "a"))
    assert names(tree(desk.core, "a")) == ("a", [[("b", [[("a", [])]])]])
    assert tree(desk.core, "a").ways[0].takes[0].ways[0].takes[0].rest == "above"


def test_a_tree_too_large_or_too_deep_says_where_it_was_cut() -> None:
    deep = Desk(*(recipe(f"r{level}", f"t{level}", f"t{level + 1}") for level in range(20)))
    branch, seen = tree(deep.core, "t0"), 0
    while branch.ways:
        branch, seen = branch.ways[0].takes[0], seen + 1
    assert (seen, branch.rest) == (8, "deep")
    wide = Desk(*(recipe(f"w{level}-{way}", f"t{level}", f"t{level + 1}") for level in range(6) for way in range(5)))
    rests = []

    def look(branch: Branch) -> None:
        rests.append(branch.rest)
        for way in branch.ways:
            for each in way.takes:
                look(each)

    look(tree(wide.core, "t0"))
    assert "many" in rests
    assert len(rests) < 5_000


def test_what_can_never_be_matched_any_more_is_not_free_and_not_asked() -> None:
    over = [capacity("old", 9, "fitting", end=1), offer("old", 9, "resin", end=1), need("old", 9, "valve", end=1)]
    desk = Desk(recipe("assemble", "valve", "resin", process="fitting"), *over, offer("mill", 5, "resin"), tick(2))
    found = tree(desk.core, "valve")
    resin, fitting = found.ways[0].takes
    assert (found.needs, resin.offered_by, resin.free[0].grains, fitting.offered_by, fitting.free) == (0, 1, 5, 0, ())


def test_hours_of_a_finer_process_are_free_for_a_step_of_the_broader_one() -> None:
    desk = Desk(recipe("print", "valve", process="3d-printing"), capacity("lab", 8, "fdm"), capacity("shop", 1, "3d-printing"))
    [way] = tree(desk.core, "valve").ways
    [printing] = way.takes
    assert ([each.to_json() for each in printing.free], printing.offered_by) == ([amount(9, "h")], 2)
    asked_for = tree(desk.core, "3d-printing")
    assert ([each.to_json() for each in asked_for.free], asked_for.offered_by) == ([amount(1, "h")], 1), "a need of hours gets its own"
