"""The planner on models and real days of others, small enough for every run; the benchmarks run them whole."""

from pathlib import Path

from solver.making import broken_rules, coverage_of, gap, plan_making
from tests.benchmarks.making_same_day import same_day
from tests.benchmarks.making_stream import replay


def test_demands_of_one_day_are_planned_to_the_bound() -> None:
    problem = same_day(60)
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert float(gap(problem, plan)) < 0.001
    assert coverage_of(problem, plan).tolist() == problem.need_units.tolist()


def test_real_orders_are_served_as_hindsight_would(real_data: Path) -> None:
    for delivered, to_order, _, broken in replay(real_data / "supplygraph", days=12):
        assert broken == 0
        assert 0.99 <= delivered / to_order <= 1
