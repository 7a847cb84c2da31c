"""What machines have to have: told phrase by phrase, and what a machine does not say counts as missing."""

import pytest

from coordinator.charter import Charter
from coordinator.limits import lacking, process_meant, processes_done
from coordinator.network import Network


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


def network(**aliases):
    return Network(Charter.model_validate({"processes": {name: {"aliases": some} for name, some in aliases.items()}}))


@pytest.mark.parametrize(
    ("aliases", "name", "meant", "source"),
    [
        pytest.param({}, "laser-cutting", "laser-cutting", "", id="the name itself"),
        pytest.param({}, "lasercutter", "laser-cutting", "common in the trade", id="by the table"),
        pytest.param({"One": ["lasercutter"]}, "lasercutter", "One", "the charter's catalogue", id="by the catalogue"),
        pytest.param({"One": ["lasercutter"]}, "laser-cutting", "One", "the charter's catalogue", id="by the catalogue, through the table"),
        pytest.param({"One": ["lasercutter"]}, "Laser Cutting", "One", "the charter's catalogue", id="in another spelling"),
        pytest.param({"laser-cutting": ["Blech"]}, "laser cut", "laser-cutting", "common in the trade", id="the table, to the same"),
        pytest.param({"One": ["lasercutter"]}, "Saege", "Saege", "", id="unknown to both"),
    ],
)
def test_who_says_what_a_process_counts_as(aliases, name, meant, source):
    assert process_meant(network(**aliases), name) == (meant, source)


@pytest.mark.parametrize(
    ("aliases", "name", "done"),
    [
        pytest.param({}, "FFF", ("fdm", "3d-printing"), id="by the table"),
        pytest.param({}, "Saege", ("Saege",), id="unknown to both"),
        pytest.param({"Filament": ["fdm"]}, "fdm", ("Filament", "3d-printing"), id="the catalogue calls a finer process otherwise"),
        pytest.param({"Filament": ["fdm"]}, "Filament", ("Filament", "3d-printing"), id="as it calls it"),
        pytest.param({"Filament": ["fdm", "Faden"]}, "Faden", ("Filament", "3d-printing"), id="as nobody else calls it"),
        pytest.param({"milling": ["Blech", "sewing"]}, "Blech", ("milling", "machining"), id="the catalogue's name is the table's"),
        pytest.param({"Shop": ["fdm", "3d-printing"]}, "fdm", ("Shop",), id="the broader one is called the same"),
        pytest.param({"Shop": ["fdm", "SLA"]}, "Shop", ("Shop", "3d-printing"), id="all it stands for is of one kind"),
        pytest.param({"Shop": ["fdm", "milling"]}, "Shop", ("Shop",), id="of two kinds: it may be either"),
        pytest.param({"Shop": ["fdm", "milling"]}, "fdm", ("Shop", "3d-printing"), id="of two kinds, and which is said"),
        pytest.param({"Filament": ["fdm"], "Drucken": ["3D printer"]}, "FFF", ("Filament", "Drucken"), id="both are called otherwise"),
    ],
)
def test_who_can_do_a_finer_process_can_do_the_broader_one_whatever_the_catalogue_calls_either(aliases, name, done):
    assert processes_done(network(**aliases), name) == done
