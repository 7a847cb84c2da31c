"""Lying about a need gains nothing while portions are fixed by the charter, and much under ratio."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

LIES = Path(__file__).parents[1] / "benchmarks" / "lies.py"


@pytest.fixture(scope="module")
def lies():
    spec = spec_from_file_location("lies", LIES)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Thousands of lies, in parts so that they share the cores.


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 600, 100))
def test_lies_gain_nothing_under_portions_where_no_two_answers_are_equally_good(first, lies):
    gains = [lie.gain for lie in lies.told_lies("portions", range(first, first + 100))]
    assert len(gains) == 400
    assert max(gains) <= 0


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_lies_gain_a_portion_at_most_where_answers_tie(first, lies):
    """Which of equally good answers is given can turn on anything, a lie too: that moves units of the last portion only."""
    gains = [lie.gain for lie in lies.told_lies("portions", range(first, first + 100), farthest=3)]
    assert max(gains) <= lies.PORTION
    assert sum(gains) / len(gains) < 0.1


@pytest.mark.parametrize("first", range(0, 200, 100))
def test_the_same_lies_gain_much_under_ratio(first, lies):
    gains = [lie.gain for lie in lies.told_lies("ratio", range(first, first + 100))]
    assert sum(gain > 0 for gain in gains) > len(gains) / 4
    assert max(gains) > 2 * lies.PORTION


def test_lies_that_go_the_whole_way_to_commitments_gain_what_the_solver_alone_would_give_them(lies):
    """Where no two answers are equally good, both ways leave every liar, and every honest asker, with the same units."""
    seeds = range(60)
    replayed = list(lies.replayed_lies("portions", seeds))
    assert replayed == list(lies.told_lies("portions", seeds))
    assert len(replayed) == 240
    assert max(lie.gain for lie in replayed) <= 0
    assert sum(lie.honest > 0 for lie in replayed) > 120


def test_lies_that_go_the_whole_way_gain_much_under_ratio(lies):
    gains = [lie.gain for lie in lies.replayed_lies("ratio", range(20))]
    assert sum(gain > 0 for gain in gains) > len(gains) / 4
    assert max(gains) > lies.PORTION


def test_share_and_size_of_gains_are_printed(lies, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lies", "8", "2"])
    lies.main()
    told = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("all of these")]
    solver_alone = [("portions", "32"), ("portions", "32"), ("ratio", "32")]
    assert [(line[3], line[-5]) for line in told] == [*solver_alone, ("portions", "8"), ("portions", "8"), ("ratio", "8")]
    assert told[0][-4:] == ["0.0%", "0.0", "0", told[0][-1]]
    assert float(told[2][-4].rstrip("%")) > 25
