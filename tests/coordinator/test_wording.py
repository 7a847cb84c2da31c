"""How values are shown in sentences."""

import pytest

from coordinator.wording import asked_for, duration, shown


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


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u202f", "\u2009"])
def test_spaces_of_every_width_are_shown_as_what_they_are(space: str) -> None:
    assert shown(f"1{space}000") == f'"1{space}000"'
    assert asked_for(f"masque{space}fin") == f"'masque{space}fin'"


@pytest.mark.parametrize("hostile", ["\x1b", "\x7f", "\x9b", "\u200b", "\u2028", "\u202e", "\u2066", "\ufeff", "\ud800"])
def test_what_hides_text_or_moves_a_terminal_is_shown_as_an_escape(hostile: str) -> None:
    for told in (shown(f"a{hostile}b"), asked_for(f"a{hostile}b")):
        assert hostile not in told
        assert "a\\" in told
