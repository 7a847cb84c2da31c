"""A bounded share of the simulation: schedules in which everything holds, and planted bugs that are found."""

import os
import shlex
import subprocess
import sys

import pytest

from tests.simulation.planted import BUGS
from tests.simulation.running import WORLDS, command, hunt, simulate

SEEDS_AT_ONCE = 25
SEEDS = {"embedded": 75, "clustered": 50}


@pytest.mark.parametrize(
    ("world", "first"),
    [pytest.param(world, first, id=f"{world} {first}") for world in WORLDS for first in range(0, SEEDS[world], SEEDS_AT_ONCE)],
)
def test_everything_holds_whatever_fails(world, first):
    for seed in range(first, first + SEEDS_AT_ONCE):
        outcome = simulate(world, seed)
        assert not outcome.invariant, f"{outcome.told}\n{command(outcome)}"
        assert outcome.steps > 100


@pytest.mark.parametrize("world", WORLDS)
def test_what_the_products_own_solver_plans_is_promised_and_kept_in_one_of_ten(world):
    assert not WORLDS[world](10).hasty
    assert simulate(world, 10).records > 10


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in BUGS])
def test_each_planted_bug_is_found(name):
    found = hunt(name, range(1_000))
    assert found is not None
    assert simulate(found.world, found.seed).invariant == "", "without the bug the same schedule holds"


def test_a_seed_has_one_trace_whatever_python_hashes_by():
    said = [run("-m tests.simulation --seeds 1:8 --told", hashes) for hashes in ("0", "1", "2")]
    assert said[0] == said[1] == said[2]
    assert said[0].count("everything held; trace ") == 7 * len(WORLDS)


def test_the_command_that_is_named_shows_the_failure_again():
    found = hunt("commitment on one acceptance", range(100))
    assert found is not None
    shown = run(command(found, "commitment on one acceptance").removeprefix("python "), "7")
    assert f"{found.told}; trace {found.trace[:16]}" in shown


def run(arguments: str, hashes: str) -> str:
    command = [sys.executable, *shlex.split(arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": hashes}, timeout=300)
    assert not done.stderr
    return done.stdout
