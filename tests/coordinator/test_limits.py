"""What machines have to have: told phrase by phrase, and what a machine does not say counts as missing."""

import pytest

from coordinator.limits import lacking


@pytest.mark.parametrize(
    ("requires", "limits", "told"),
    [
        pytest.param({}, {}, [], id="nothing required"),
        pytest.param({"width_mm": 200}, {"width_mm": 300}, [], id="large enough"),
        pytest.param({"width_mm": 300}, {"width_mm": 300}, [], id="just large enough"),
        pytest.param({"width_mm": 301}, {"width_mm": 300}, ["width_mm 301 (it has at most 300)"], id="too small"),
        pytest.param({"width_mm": 2}, {"min_width_mm": 5, "max_width_mm": 9}, ["width_mm 2 (it has at least 5)"], id="too large"),
        pytest.param({"width_mm": 200}, {}, ["width_mm 200 (it does not say its width_mm)"], id="silent on a number"),
        pytest.param(
            {"width_mm": 200}, {"width_mm": "wide"}, ['width_mm 200 (it says "wide", which is no number)'], id="a text for a number"
        ),
        pytest.param({"material": "acrylic"}, {"material": "Plywood; Acrylic"}, [], id="one of several"),
        pytest.param({"material": "acrylic;petg"}, {"material": "petg"}, [], id="any of several"),
        pytest.param({"material": "steel"}, {"material": "wood"}, ['material "steel" (it has "wood")'], id="another"),
        pytest.param({"tool": "laser"}, {}, ['tool "laser" (it does not say which tool)'], id="silent on a text"),
        pytest.param({"b": 2, "a": 2}, {"a": 1, "b": 1}, ["a 2 (it has at most 1)", "b 2 (it has at most 1)"], id="several, in order"),
    ],
)
def test_what_is_lacking_is_said(requires, limits, told):
    assert lacking(requires, limits) == told
