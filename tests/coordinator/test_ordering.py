"""Names come out in order whatever came and went before, and a walk begins after any name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator import ordering
from coordinator.ordering import Ordering

names = st.text("abc/", max_size=4)
steps = st.lists(names, max_size=120)  # each puts a name in, or takes it out where it is in


@given(steps, st.sets(names), names)
def test_it_yields_what_is_in_it_after_a_name_in_order(steps, first, mark):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "BLOCK", 3)  # so that blocks split and go
        held, kept = set(first), Ordering(first)
        for name in steps:
            (kept.remove if name in held else kept.add)(name)
            held ^= {name}
        assert list(kept.after(mark)) == sorted(name for name in held if name > mark)
