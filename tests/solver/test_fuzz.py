"""A share of the differential fuzzing, and that it tells what is wrong and how to repeat it."""

import sys

import numpy as np
import pytest

from solver.problem import Problem
from tests.solver import fuzz

SHARE = 100  # seeds a test


@pytest.mark.parametrize("first", range(0, 10 * SHARE, SHARE))
def test_every_solver_gives_the_same_answer_to_the_same_question(first: int) -> None:
    assert {seed: found for seed in range(first, first + SHARE) if (found := fuzz.faults(seed))} == {}


def test_every_kind_of_question_is_drawn() -> None:
    problems = [fuzz.drawn(seed) for seed in range(200)]
    kinds = {
        "one level": lambda each: each.levels == 1,
        "portions": lambda each: each.levels > 1 and len(set(each.run.tolist())) == 1,
        "ratio": lambda each: len(set(each.run.tolist())) > 1,
        "hysteresis": lambda each: each.hysteresis and each.kept.any(),
        "minimum parts": lambda each: each.minimum.any(),
        "claims of several needs": lambda each: len(each.tier) < len(each.demand),
        "unlike tiers": lambda each: len(set(each.tier.tolist())) > 1,
        "units received": lambda each: each.received.any(),
        "limits": lambda each: (each.most < np.minimum(each.supply[each.offer], each.demand[each.need])).any(),
        "counted out": lambda each: fuzz.counted_out(each) is not None,
    }
    seen = {kind: sum(bool(holds(problem)) for problem in problems) for kind, holds in kinds.items()}
    assert min(seen.values()) >= 10, seen


def test_a_wrong_answer_is_told_with_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(problem: Problem, worth: int) -> np.ndarray:
        return np.zeros_like(problem.offer)

    monkeypatch.setattr(fuzz, "best_flow", nothing)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--first", "7", "--cases", "3", "--processes", "1"])
    assert fuzz.main() == 1
    told = capsys.readouterr().out
    assert "python -m tests.solver.fuzz --first 7 --cases 1" in told
    assert "OR-Tools: (0, 0), own engine: (" in told
    assert "3 questions from seed 7 on, " in told


def test_right_answers_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz", "--cases", "4", "--processes", "1"])
    assert fuzz.main() == 0
    assert "4 questions from seed 0 on, 0 answered wrongly" in capsys.readouterr().out
