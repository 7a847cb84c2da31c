"""FrePPLe's models: those that can be said in arrays come on time as far as its own plans, and what cannot be said is named."""

from functools import partial
from pathlib import Path

import pytest

from solver.making import broken_rules, gap
from tests.benchmarks.making_frepple import below
from tests.support.frepple import expected, read_case, read_fixture
from tests.support.frepple_arrays import arrays, on_time, planned, unkept
from tests.support.frepple_bound import most_on_time

EXPRESSED = (
    "constraints_combined_1", "constraints_leadtime_1", "constraints_material_1", "constraints_resource_1", "constraints_resource_2",
    "constraints_resource_4", "constraints_resource_5", "constraints_resource_8", "flow_alternate_1", "flow_effective", "flow_location",
    "heuristic2", "load_effective", "operation_pre_post",
)  # fmt: skip


@pytest.mark.parametrize("name", EXPRESSED)
def test_every_demand_is_on_time_as_far_as_expected(real_data: Path, name: str) -> None:
    folder = real_data / "frepple" / "cases" / name
    answer = planned(partial(read_case, folder / f"{name}.xml"))
    assert not isinstance(answer, set), answer
    asked, plan = answer
    assert broken_rules(asked.problem, plan) == []
    assert unkept(asked, plan) == 0
    theirs = expected(folder)
    assert theirs is not None
    assert below(on_time(asked, plan), theirs) == []
    most = most_on_time(partial(read_case, folder / f"{name}.xml"))
    assert max(sum(theirs.values()), sum(on_time(asked, plan).values())) <= most


def test_no_other_case_is_taken_for_expressed(real_data: Path) -> None:
    folders = sorted((real_data / "frepple" / "cases").iterdir())
    assert len(folders) == 38
    missing = {each.name: arrays(read_case(each / f"{each.name}.xml")) for each in folders if each.name not in EXPRESSED}
    assert [name for name, features in missing.items() if not (isinstance(features, set) and features)] == []


def test_the_demo_of_manufacturing_comes_near_its_bound_and_keeps_what_is_promised(real_data: Path) -> None:
    demo = partial(read_fixture, real_data / "frepple" / "fixtures" / "manufacturing_demo.json")
    answer = planned(demo)
    assert not isinstance(answer, set), answer
    asked, plan = answer
    assert broken_rules(asked.problem, plan) == []
    assert unkept(asked, plan) == 0
    assert gap(asked.problem, plan) < 0.01
    assert 98 <= sum(on_time(asked, plan).values()) <= most_on_time(demo) == 104


def test_a_tag_that_nobody_knows_is_missing_and_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "case.xml"
    text = """<plan><current>2009-01-01T00:00:00</current><demands><demand name="one"><quantity>3</quantity>
        <due>2009-01-05T00:00:00</due><item name="chair"/><location name="here"/>{}</demand></demands></plan>"""
    path.write_text(text.format(""))
    assert not isinstance(arrays(read_case(path)), set)
    path.write_text(text.format("<moonphase>full</moonphase>"))
    assert arrays(read_case(path)) == {"demand moonphase"}
