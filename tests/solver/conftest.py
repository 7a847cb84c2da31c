"""What the solver's tests draw from."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from solver import Problem
from tests.solver.drawing import feasible_flows, random_problem


@pytest.fixture
def draw_problem() -> Callable[..., Problem]:
    return random_problem


@pytest.fixture
def every_flow() -> Callable[[Problem], Iterator[Any]]:
    return feasible_flows
