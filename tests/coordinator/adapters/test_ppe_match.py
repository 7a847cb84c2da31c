"""The demo's data: a small package made here, and the real one where it is installed."""

from importlib.metadata import PackageNotFoundError, distribution

import pytest

from coordinator.adapters.ppe_match import LARGEST_OFFER, event_of, read_ppe_distances, read_story
from coordinator.errors import Refused
from coordinator.rivals import run_rival
from coordinator.signals import parse_event
from coordinator.times import DAY_US, parse_instant

DONORS = """,don_id,date,ppe,qty
0,don0,2020-03-27 11:47:00+00:00,respirators,20.0
1,don7,2020-04-09 13:08:00.250000+00:00,gowns,1001.0
5,don0,2020-04-09 13:08:01+00:00,gowns,1000.0
"""
RECIPIENTS = """,rec_id,date,ppe,qty
1,rec0,2020-04-02 16:27:00+00:00,gowns,5000.0
9,rec3,2020-04-09 13:08:01+00:00,gowns,10000000000.0
13,rec3,2020-04-09 13:08:01+00:00,gowns,7.0
"""
DISTANCES = """don_id,rec_id,distance
don0,rec0,333.27
don7,rec0,1
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the same shape, whose code must not run."""
    data = tmp_path / "ppe_match" / "data"
    data.mkdir(parents=True)
    (tmp_path / "ppe_match" / "__init__.py").write_text("raise SystemExit('the package was imported')")
    for name, text in (("donors", DONORS), ("recipients", RECIPIENTS), ("distance_matrix", DISTANCES)):
        (data / f"anon_{name}.csv").write_text(text)
    info = tmp_path / "ppe_match-0.1.4.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ppe-match\nVersion: 0.1.4\n")
    monkeypatch.syspath_prepend(tmp_path)
    return data


@pytest.mark.usefixtures("package")
def test_rows_keep_what_was_written_and_large_ones_are_set_aside():
    story = read_story()
    assert [(row.row_number, row.agent, row.quantity) for row in story.offers] == [(1, "don0", 20), (3, "don0", LARGEST_OFFER)]
    assert [(row.row_number, row.agent, row.quantity) for row in story.needs] == [(1, "rec0", 5000), (3, "rec3", 7)]
    assert [row.quantity for row in story.left_out] == [1001]
    assert [row.quantity for row in story.too_large] == [10**10]
    assert story.left_out_by_item() == {"gowns": 1}
    assert story.offers[0].date_us == parse_instant("2020-03-27T11:47:00Z")


@pytest.mark.usefixtures("package")
def test_the_stream_is_in_order_of_date_with_offers_first():
    stream = read_story().stream()
    assert [(row.side, row.row_number) for row in stream] == [("offer", 1), ("need", 1), ("offer", 3), ("need", 2), ("need", 3)]


@pytest.mark.usefixtures("package")
def test_every_row_becomes_an_event_of_its_own_and_only_what_exceeds_the_contract_is_refused():
    stream = read_story().stream()
    refused = []
    for row in stream:
        try:
            event = parse_event(event_of(row))
        except Refused as why:
            refused.append((row.quantity, str(why)))
        else:
            assert (event.name, event.kind, event.time_us) == (row.agent, row.side, row.date_us)
            assert event.subject == f"{row.resource}-{row.row_number}"
            assert (event.data.resource, event.data.quantity.grains, event.data.quantity.unit) == (row.resource, row.quantity, "1")
    assert len({event_of(row) for row in stream}) == len(stream)
    assert [quantity for quantity, _ in refused] == [10**10]


@pytest.mark.usefixtures("package")
def test_miles_become_whole_metres_both_ways():
    routes = read_ppe_distances()
    assert routes.metres("don0", "rec0") == routes.metres("rec0", "don0") == 536_346  # 333.27 x 1609.344 = 536 346.07
    assert routes.metres("don7", "rec0") == 1_609


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        pytest.param("donors", "1000.0", "1000.5", 'line 4 has "1000.5" pieces; a whole number above 0', id="part of a piece"),
        pytest.param("donors", "20.0", "-20", 'line 2 has "-20" pieces', id="below zero"),
        pytest.param("donors", "20.0", "", 'line 2 has "" pieces', id="no quantity"),
        pytest.param("donors", "20.0", "0", 'line 2 has "0" pieces', id="nothing"),
        pytest.param("recipients", "16:27:00+00:00", "16:27:00", "line 2: date is .* without an offset", id="no offset"),
        pytest.param("recipients", "2020-04-02", "2020-05-02", "line 3 goes back in time", id="out of order"),
        pytest.param("recipients", "ppe,qty", "item,pieces", "has no column ppe and no qty; install version 0.1.4", id="columns"),
        pytest.param("distance_matrix", "333.27", "far", 'line 2 has "far" as distance', id="distance"),
    ],
)
def test_a_file_that_does_not_hold_what_it_should_is_refused(package, name, old, new, said):
    path = package / f"anon_{name}.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(Refused, match=said):
        read_ppe_distances() if name == "distance_matrix" else read_story()


def test_a_missing_file_is_refused_by_name(package):
    (package / "anon_donors.csv").unlink()
    with pytest.raises(Refused, match=r"has no file .*anon_donors\.csv; install version 0\.1\.4"):
        read_story()


def test_without_the_package_the_sentence_says_what_to_install(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("coordinator.adapters.ppe_match.distribution", missing)
    with pytest.raises(Refused, match=r"pip install 'stigmergic-coordinator\[demo\]'"):
        read_story()


# -- the real package ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_story():
    try:
        distribution("ppe-match")
    except PackageNotFoundError:
        pytest.skip("ppe-match is not installed: it carries the demo's real data")
    return read_story()


@pytest.fixture(scope="module")
def real_routes(real_story):
    return read_ppe_distances()


def test_the_real_package_holds_the_rows_it_is_known_for(real_story):
    assert len(real_story.offers) + len(real_story.left_out) == 1_658
    assert len(real_story.needs) + len(real_story.too_large) == 31_202
    assert (len(real_story.left_out), len(real_story.too_large)) == (241, 1)


def test_the_real_distances_are_all_there(real_routes):
    assert (real_routes.pairs, len(real_routes.agents)) == (4_095_655, 1_246 + 6_336)
    assert (real_routes.conflicts, real_routes.loops) == (0, 0)


@pytest.mark.parametrize(
    ("rival", "pieces", "unit_miles", "piece_days", "parcels"),
    [("first come", 41_051, 61_370_979.67, 40_108, 586), ("nearest", 38_304, 498_929.82, 37_404, 535)],
)
def test_the_rivals_ship_what_the_originals_ship_until_20_april(real_story, real_routes, rival, pieces, unit_miles, piece_days, parcels):
    """The figures come from the package's own code, run once with pandas 1.5 and every 7 days; for "nearest" with a stable sort, as
    the original leaves open which of several equally near recipients it takes."""
    before_us = parse_instant("2020-04-20T00:00:00Z")
    offers = [row for row in real_story.offers if row.date_us < before_us]
    needs = [row for row in real_story.needs if row.date_us < before_us]
    shipments = run_rival(rival, offers, needs, real_routes, 7 * DAY_US)
    assert sum(shipment.quantity for shipment in shipments) == pieces
    assert sum(shipment.quantity * shipment.metres for shipment in shipments) / 1609.344 == pytest.approx(unit_miles, rel=1e-4)
    assert sum(shipment.quantity * round(shipment.waited_us / DAY_US) for shipment in shipments) == piece_days
    assert len({(shipment.provider, shipment.receiver, shipment.at_us) for shipment in shipments}) == parcels
