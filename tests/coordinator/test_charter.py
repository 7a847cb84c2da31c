"""The charter: what it takes, what it refuses and in which words, and what its rules say."""

import pytest

from coordinator.charter import Charter, charter_from_toml
from coordinator.errors import Refused


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fairness", "portions"),
        ("portion", {}),
        ("fairness_levels", 100),
        ("fairness_memory_days", 30),
        ("radius_km", None),
        ("effort", "kg_km"),
        ("cycle_seconds", 3600),
        ("late_seconds", 86400),
        ("proposal_seconds", 604800),
        ("hysteresis", 0),
        ("place_decimals", 2),
        ("default_life_days", 0),
    ],
)
def test_every_rule_has_the_contracts_default(key, value):
    assert getattr(Charter(), key) == value


def test_a_charter_without_its_table_is_the_default_one():
    assert charter_from_toml("title = 'ours'") == Charter()


@pytest.mark.parametrize("text", ["x = 1", "[coordinator]\nport = 1"])
def test_a_file_named_as_a_charter_needs_its_table(text):
    with pytest.raises(Refused, match=r"no table \[charter\]"):
        charter_from_toml(text, table_needed=True)
    assert charter_from_toml("[charter]", table_needed=True) == charter_from_toml("", table_needed=True) == Charter()


def test_a_charter_reads_every_rule_of_the_contract():
    charter = charter_from_toml(
        """
        [charter]
        fairness = "ratio"
        portion = {gowns = 50}
        fairness_levels = 20
        fairness_memory_days = 7
        radius_km = 500.0
        effort = "km"
        cycle_seconds = 60
        late_seconds = 0
        proposal_seconds = 3600
        hysteresis = 2
        place_decimals = 4
        default_life_days = 14
        """
    )
    assert (charter.fairness, charter.portion["gowns"], charter.radius_km, charter.late_seconds) == ("ratio", 50, 500.0, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[charter", "not TOML", id="broken TOML"),
        pytest.param("charter = 3", "a table", id="no table"),
        pytest.param("radius_km = 1", '"radius_km" stands outside the table [charter]', id="no line [charter]"),
        pytest.param("[chartr]\nradius_km = 1", '"chartr" stands outside', id="misspelt table"),
        pytest.param("[charter]\nfairnes = 'off'", "did you mean 'fairness'", id="misspelt rule"),
        pytest.param("[charter", "(at end of document); mend it there", id="no TOML"),
        pytest.param("[charter]\nprice = 3", "no rule 'price'", id="unknown rule"),
        pytest.param(
            "[charter]\nfairness = 'best'", "fairness is \"best\"; 'portions', 'ratio' or 'off' was expected", id="unknown fairness"
        ),
        pytest.param("[charter]\neffort = 'eur'", 'effort is "eur"', id="unknown effort"),
        pytest.param("[charter]\ncycle_seconds = 0", "cycle_seconds is 0; 1 or more was expected", id="no cycle"),
        pytest.param("[charter]\ncycle_seconds = '60'", 'cycle_seconds is "60"; a whole number was expected', id="text for a number"),
        pytest.param(
            f"[charter]\ncycle_seconds = {10**20}", "charter.cycle_seconds is 100000000000000000000; 10000000000 or less", id="no end"
        ),
        pytest.param(
            f"[charter]\nlate_seconds = {10**10 + 1}", "late_seconds is 10000000001; 10000000000 or less was expected", id="never late"
        ),
        pytest.param(f"[charter]\nproposal_seconds = {10**20}", "10000000000 or less was expected", id="for ever"),
        pytest.param("[charter]\nfairness_levels = true", "fairness_levels is true", id="true for a number"),
        pytest.param("[charter]\nradius_km = nan", "radius_km is NaN", id="radius that is no number"),
        pytest.param("[charter]\nradius_km = -1", "radius_km is -1", id="negative radius"),
        pytest.param("[charter]\nspeed_kmh = 0", "speed_kmh is 0; 1 or more was expected", id="no speed"),
        pytest.param("[charter]\nspeed_kmh = 1000000", "speed_kmh is 1000000; 100000 or less was expected", id="too fast"),
        pytest.param("[charter]\nspeed_kmh = 'van'", 'speed_kmh is "van"; a number was expected', id="text for a speed"),
        pytest.param("[charter]\nspeed_kmh = inf", "speed_kmh is Infinity", id="endless speed"),
        pytest.param("[charter]\nhandling_hours = -1", "handling_hours is -1; 0 or more was expected", id="negative handling"),
        pytest.param("[charter]\nhandling_hours = 9000", "handling_hours is 9000; 8784 or less was expected", id="handling for a year"),
        pytest.param("[charter]\nradius_km = 'far'", 'charter.radius_km is "far"; a number was expected', id="text for any number"),
        pytest.param("[charter]\nradius_km = 'far'\nportion = 3", 'expected; charter.radius_km is "far"; a number was', id="two rules"),
        pytest.param("[charter]\nportion = {gowns = 0}", "portion.gowns is 0", id="empty portion"),
        pytest.param("[charter]\nmay_claim_tier = {7 = ['a']}", "tier '7' does not exist", id="tier that does not exist"),
        pytest.param("[charter.resources.pla]\nunit = 'bags'", "'bags' is not a UCUM code", id="unknown unit"),
        pytest.param("[charter.resources.a]\naliases=['x']\n[charter.resources.b]\naliases=['x']", "belongs to both", id="alias of two"),
        pytest.param("[charter.processes.a]\n[charter.processes.b]\naliases=['a']", "belongs to both", id="alias of another's name"),
    ],
)
def test_a_charter_that_is_not_valid_is_refused_with_what_to_mend(text, words):
    with pytest.raises(Refused) as refused:
        charter_from_toml(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_version_names_exactly_these_rules():
    assert Charter().version == Charter(fairness="portions").version
    assert Charter().version != Charter(fairness="off").version


@pytest.mark.parametrize(
    ("stated", "who", "classes", "used"),
    [
        pytest.param(0, "clinic", (), 0, id="named agents may"),
        pytest.param(0, "lab", ("hospital",), 0, id="a class may"),
        pytest.param(0, "lab", ("school",), 1, id="others count as 1"),
        pytest.param(3, "lab", (), 3, id="a tier without a rule is everybody's"),
    ],
)
def test_a_tier_counts_only_where_the_charter_lets_it_be_claimed(stated, who, classes, used):
    assert Charter(may_claim_tier={"0": ("clinic", "class:hospital")}).tier_used(stated, who, classes) == used
