import sys

import pytest

from coordinator.adapters.plot import plot_first_portions
from coordinator.errors import Refused, Unavailable
from coordinator.times import DAY_US

SPAN_US = (18_350 * DAY_US, 18_460 * DAY_US)
LINES = {"portions": [(18_360 * DAY_US, 5), (18_400 * DAY_US, 12)], "nearest": [(18_361 * DAY_US, 11)], "nothing": []}


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib", reason="matplotlib is not installed: it draws the demo's plot")


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize("lines", [LINES, {}, {f"way {number}": LINES["portions"] for number in range(9)}])
def test_a_picture_is_saved_for_any_number_of_lines(tmp_path, lines):
    path = tmp_path / "claims.png"
    plot_first_portions(path, lines, 31_177, SPAN_US)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("matplotlib")
def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(Unavailable, match=r"claims\.png cannot be written \(No such file"):
        plot_first_portions(tmp_path / "missing" / "claims.png", LINES, 10, SPAN_US)


def test_without_matplotlib_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.dates", None)
    with pytest.raises(Refused, match=r"pip install 'stigmergic-coordinator\[demo\]'"):
        plot_first_portions(tmp_path / "claims.png", LINES, 10, SPAN_US)
