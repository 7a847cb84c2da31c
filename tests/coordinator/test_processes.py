"""The table of processes: every name stands for one process with its source, and nothing outside it is guessed."""

import pytest

from coordinator.processes import NAMES, PROCESSES, broader_of, processes_in, term_of


@pytest.mark.parametrize(
    ("name", "process"),
    [
        ("3D Printer", "3d-printing"),
        ("three_d_printer", "3d-printing"),
        ("FFF", "fdm"),
        ("Laser Cutting", "laser-cutting"),
        ("laser", "laser-cutting"),
        ("circuit_production", "circuit-making"),
        ("Sewing or textiles", "sewing"),
        ("TsDC-3DP", "3d-printing"),
    ],
)
def test_names_of_others_stand_for_a_process(name, process):
    assert term_of(name).process == process


@pytest.mark.parametrize("name", ["laser engraver of stone", "Jigsaw or laser cutter", "woodshop", "", "3d"])
def test_what_the_table_does_not_hold_is_not_guessed(name):
    assert term_of(name) is None


def test_a_finer_process_stands_for_the_broader_one_and_never_the_other_way_round():
    assert broader_of("precision-milling") == ("precision-milling", "cnc-milling", "milling", "machining")
    assert "fdm" not in broader_of("3d-printing")


def test_every_broader_process_is_in_the_table_and_no_ring_of_them_exists():
    for process in PROCESSES.values():
        assert all(name in PROCESSES for name in broader_of(process.name))
        assert len(set(broader_of(process.name))) == len(broader_of(process.name))


def test_every_term_has_a_source_and_a_process_of_the_table():
    for term in NAMES.values():
        assert term.source
        assert term.process in PROCESSES


def test_a_list_in_prose_is_taken_apart_and_what_is_unknown_is_told():
    known, unknown = processes_in("Welder & small lathe, crystal ball")
    assert [term.process for term in known] == ["welding", "turning"]
    assert unknown == ["crystal ball"]


def test_one_of_two_is_not_both():
    assert processes_in("Jigsaw or laser cutter") == ([], ["Jigsaw or laser cutter"])
