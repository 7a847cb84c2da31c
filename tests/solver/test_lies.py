"""Lying about a need gains nothing while portions are fixed by the charter, and much under ratio."""

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


def test_lies_gain_nothing_under_portions_where_no_two_answers_are_equally_good(lies):
    gains = [lie.gain for lie in lies.told_lies("portions", range(100, 200))]
    assert len(gains) == 400
    assert max(gains) <= 0


def test_lies_gain_a_portion_at_most_where_answers_tie(lies):
    """Which of equally good answers is given can turn on anything, a lie too: that moves units of the last portion only."""
    assert max(lie.gain for lie in lies.told_lies("portions", range(100), farthest=3)) <= lies.PORTION


def test_the_same_lies_gain_much_under_ratio(lies):
    gains = [lie.gain for lie in lies.told_lies("ratio", range(100))]
    assert sum(gain > 0 for gain in gains) > len(gains) / 4
    assert max(gains) > 2 * lies.PORTION
