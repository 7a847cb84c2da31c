"""Inside a workshop: work that was promised goes to the machine that ends it first; what only waits binds no machine."""

from itertools import pairwise

import pytest

from coordinator import floor as module
from coordinator.errors import Refused
from coordinator.floor import floor, questions
from coordinator.loops import recipe_stocks
from tests.coordinator.test_production import SHIELDS, accept, making, recipe
from tests.support.desk import Desk
from tests.support.events import agent, amount, answer, capacity, event, hours, moment_us, need, offer

HOUR_US = 3_600_000_000


def farm(*machines, jobs=((4, "pla"), (4, "pla"), (4, "petg"))):
    """A printer farm with machines (name, limits) and one committed job of so many hours and material for each clinic."""
    lines = [agent("farm", 48.0, 2.0)]
    lines += [capacity("farm", 40, "printing", subject=name, limits=limits) for name, limits in machines]
    for number, (count, material) in enumerate(jobs):
        step = {"process": "printing", "effort": amount(1, "h"), "setup": amount(30, "min"), "requires": {"material": material}}
        data = {"recipe": f"r{number}", "outputs": [{"resource": f"thing-{number}", "quantity": amount(1)}], "steps": [step]}
        lines += [event("recipe", "agent:d", f"r{number}", 0, data), agent(f"clinic-{number}", 48.1, 2.0)]
        lines.append(need(f"clinic-{number}", count, f"thing-{number}"))
    return Desk(*lines)


def committed(desk):
    for deal in making(desk):
        accept(desk, deal)
    return floor(desk.core, "farm")


def test_jobs_go_to_the_machines_that_are_loaded_with_what_they_take_and_no_change_is_made_in_vain():
    told = committed(farm(("one", {"material": "pla;petg"}), ("two", {"material": "petg;pla"})))
    at = {job.need: (job.machine.rpartition("/")[2], job.begin_us, job.change) for job in told.jobs}
    assert at["clinic-2/need/n"][0] == "two"
    assert at["clinic-2/need/n"][2] is None
    assert len(told.jobs) == 3
    assert told.forecast is None
    for machine in told.machines:
        mine = sorted((job.begin_us, job.end_us) for job in told.jobs if job.machine == machine.ref)
        assert all(before[1] <= after[0] for before, after in pairwise(mine))
    assert sum(machine.busy.grains for machine in told.machines) == sum(job.hours.grains for job in told.jobs)


def test_a_search_changes_material_no_more_often_than_next_free_machine_and_tells_how_good_it_is():
    jobs = ((4, "pla"), (3, "petg"), (5, "pla"), (2, "petg"), (6, "pla"))
    desk = farm(("one", {"material": "pla;petg"}), jobs=jobs)
    for deal in making(desk):
        accept(desk, deal)
    first, searched = floor(desk.core, "farm"), floor(desk.core, "farm", searches=True)
    assert first.least is None or first.late_or_changing == 0
    assert 0 < searched.least <= searched.late_or_changing <= first.late_or_changing
    assert searched.late_or_changing == sum(job.change.grains // 60_000 for job in searched.jobs if job.change)
    assert sorted(job.need for job in searched.jobs) == sorted(job.need for job in first.jobs)
    assert searched == floor(desk.core, "farm", searches=True)


def test_a_machine_without_the_material_is_never_given_the_job():
    told = committed(farm(("one", {"material": "pla"}), ("two", {"material": "petg"})))
    assert {(job.need, job.machine.rpartition("/")[2]) for job in told.jobs} == {
        ("clinic-0/need/n", "one"),
        ("clinic-1/need/n", "one"),
        ("clinic-2/need/n", "two"),
    }


def test_what_waits_in_proposals_is_a_forecast_and_no_machine_is_bound():
    desk = farm(("one", {"material": "pla;petg"}))
    making(desk)
    told = floor(desk.core, "farm")
    assert told.jobs == ()
    assert told.forecast.grains >= 12 * 3_600_000


def test_parts_are_made_before_what_takes_them():
    desk = Desk(*SHIELDS)
    [deal] = making(desk)
    accept(desk, deal)
    told = {job.process: job for job in floor(desk.core, "printer").jobs}
    assert told["printing"].end_us <= told["assembly"].begin_us
    assert told["printing"].end_us - told["printing"].begin_us == 30 * HOUR_US


def test_only_what_makes_a_part_waits_to_be_before_what_takes_it_in_the_same_proposal():
    """Held against all pairs of jobs."""
    more = [need(f"other-{number}", 3, "shield") for number in range(3)]
    desk = Desk(*SHIELDS, *(agent(f"other-{number}", 48.1) for number in range(3)), *more)
    assert len(making(desk)) > 1
    [asked] = questions(desk.core, "printer")
    flows = {ref: recipe_stocks(desk.core.network, each) for ref, each in desk.core.network.recipes.items()}
    works = list(enumerate(asked.works))
    expected = [
        [first, second]
        for first, one in works
        for second, other in works
        if one.deal is other.deal and flows[one.line.into][1].keys() & flows[other.line.into][0].keys()
    ]
    assert len(expected) > 1
    assert asked.shop.after.tolist() == expected


def test_works_that_require_the_same_are_held_against_each_machine_once(monkeypatch):
    desk = farm(*((name, {"material": "pla;petg"}) for name in ("one", "two")), jobs=((2, "pla"), (3, "petg"), (1, "pla"), (1, "pla")))
    making(desk)
    looked = []
    monkeypatch.setattr(module, "lacking", lambda requires, limits: looked.append(requires["material"]))
    assert len({job.proposal for job in floor(desk.core, "farm").if_accepted.jobs}) == 4
    assert sorted(looked) == ["petg", "petg", "pla", "pla"]


def test_more_jobs_than_are_searched_are_not_laid_out_for_a_search(monkeypatch):
    desk = farm(("one", {"material": "pla;petg"}))
    making(desk)
    assert [len(each.works) for each in questions(desk.core, "farm")] == [3]
    many = farm(("one", {"material": "pla"}), ("two", {"material": "pla"}), jobs=((1, "pla"),) * 41)
    making(many)
    assert len(floor(many.core, "farm").if_accepted.jobs) == 41
    assert questions(many.core, "farm") == []
    monkeypatch.setattr(module, "MOST_SEARCHED", 2)
    assert questions(desk.core, "farm") == []


def test_hours_promised_to_others_are_work_of_the_floor_too():
    desk = Desk(agent("a", 48.0), agent("b", 48.1), capacity("a", 8, "sewing"), hours("b", 3, due=2))
    [deal] = desk.cycle()
    desk.take(*(answer(party, deal.proposal, at=0.0) for party in ("a", "b")))
    [job] = floor(desk.core, "a").jobs
    assert (job.hours.grains, job.recipe, job.late) == (3 * 3_600_000, None, True)
    assert job.begin_us == moment_us(0)


def test_who_has_no_machines_is_told_so():
    desk = Desk(agent("a", 48.0))
    with pytest.raises(Refused, match="offers no hours"):
        floor(desk.core, "a")
    with pytest.raises(Refused, match="nobody here is called 'b'"):
        floor(desk.core, "b")


def test_goods_and_the_grinding_of_their_scrap_in_one_proposal_do_not_wait_for_one_another():
    outputs = [{"resource": "part", "quantity": amount(1)}, {"resource": "scrap", "quantity": amount(1, "g"), "by_product": True}]
    inputs = [{"resource": "granulate", "quantity": amount(30, "g")}]
    printed = {"outputs": outputs, "inputs": inputs, "steps": [{"process": "printing", "effort": amount(1, "h")}]}
    desk = Desk(
        agent("shop", 48.0, 2.0),
        agent("clinic", 48.5, 2.0),
        event("recipe", "agent:shop", "print", 0, {"recipe": "print", **printed}),
        recipe("shop", "grind", {"granulate": (9, "g")}, {"scrap": (10, "g")}, {"grinding": 0.01}),
        capacity("shop", 100, "printing"),
        capacity("shop", 100, "grinding", subject="mill"),
        offer("shop", 10, "scrap", unit="kg"),
        need("clinic", 20, "part"),
    )
    for deal in making(desk):
        accept(desk, deal)
    assert {job.process for job in floor(desk.core, "shop").jobs} == {"printing", "grinding"}


def prints(*machines, count, due, setup=0):
    """A farm with machines (name, hours, until) and committed prints of four hours each."""
    lines = [agent("farm", 48.0, 2.0), agent("clinic", 48.1, 2.0)]
    lines += [capacity("farm", given, "printing", subject=name, end=float(end)) for name, given, end in machines]
    step = {"process": "printing", "effort": amount(4, "h"), **({"setup": amount(setup, "h")} if setup else {})}
    lines.append(
        event(
            "recipe", "agent:d", "visor", 0, {"recipe": "visor", "outputs": [{"resource": "visor", "quantity": amount(1)}], "steps": [step]}
        )
    )
    lines.append(need("clinic", count, "visor", due=due, end=due))
    desk = Desk(*lines)
    for deal in making(desk):
        accept(desk, deal)
    return desk


def test_behind_a_capacity_stand_as_many_machines_as_its_hours_take_within_its_window():
    told = floor(prints(("p", 120, 40), count=30, due=40).core, "farm", searches=True)
    assert [(machine.number, machine.jobs, machine.busy.grains // 3_600_000) for machine in told.machines] == [
        (1, 1, 40),
        (2, 1, 40),
        (3, 1, 40),
    ]
    assert sorted(job.number for job in told.jobs) == [1, 2, 3]
    # It was accepted an hour after the plan had begun all three: an hour late is the least, and not the 81 h of one machine.
    assert told.late_or_changing == told.least == 60 * 100


def test_runs_of_one_job_go_to_machines_that_would_be_idle():
    told = floor(prints(*((f"p{number}", 40, 100) for number in range(3)), count=10, due=100).core, "farm")
    assert sorted(job.hours.grains // 3_600_000 for job in told.jobs) == [12, 12, 16]
    assert len({job.machine for job in told.jobs}) == 3
    assert max(job.end_us for job in told.jobs) - min(job.begin_us for job in told.jobs) == 16 * HOUR_US


def test_few_runs_are_not_spread_over_machines_that_would_each_be_set_up_for_longer_than_they_work():
    told = floor(prints(("p", 120, 40), count=2, due=40, setup=9).core, "farm")
    assert len(told.machines) == 3
    assert len(told.jobs) == 1
