"""How values are shown in sentences."""

import pytest

from coordinator.wording import duration


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (86_400, "24 hours"),
        (100_000, "27.8 hours"),
        (604_800, "7 days"),
        (63_115_200, "2 years"),
        (5_430_456_000, "172.1 years"),
    ],
)
def test_a_duration_is_told_in_the_longest_unit_of_which_there_are_two(seconds: int, told: str) -> None:
    assert duration(seconds) == told
