"""``coordinator why NEED``: why it is served as it is, or short."""

from decimal import Decimal

from coordinator.cli.loading import Where, asked, segment
from coordinator.cli.network import print_json
from coordinator.cli.output import table
from coordinator.explaining import Explanation
from coordinator.lifting import Lifted, Lifting, lifted
from coordinator.wording import amount, counted

__all__ = ["show_why"]

ROWS = 12  # users of what could reach the need; the rest is counted, and --json has them all


def show_why(where: Where, need: str, to_json: bool, by: float | None = None) -> None:
    """Print who serves a need and by which reasons, what keeps the rest away, what could change it and what would be enough.

    `by` is how much it should be lifted, in the unit that its amounts are shown in; None: by all it is short of.
    """
    found: Lifted = asked(
        where,
        Lifted,
        lambda here: lifted(here, need, None if by is None else Decimal(str(by))),
        f"/needs/{segment(need)}/why",
        quiet=to_json,
        lift="true",
        by=by,
    )
    lift = found.lifting
    if to_json:
        print_json(found)
        return
    used = "" if found.tier_used == found.tier_stated else f", counts as {found.tier_used}"
    print(f"{found.need}: {amount(found.asked)} {found.name}, tier {found.tier_stated}{used}")
    print(f"  proposed {amount(found.proposed)}, committed {amount(found.committed)}, short {amount(found.short)}")
    if found.served:
        _show_served(found)
    _list("why", found.reasons)
    if found.users and found.short.grains:
        rows = [[user.need, amount(user.quantity), user.offers, user.state, user.tier_used, user.level] for user in found.users[:ROWS]]
        table("who takes what could reach it", ["need", "takes", "offers", "state", "tier", "level"], rows)
        if len(found.users) > ROWS:
            print(f"  and {len(found.users) - ROWS:,} more; --json has them all")
    _list("what could change it", found.could_change)
    if lift is not None:
        _show_lifting(lift)


def _show_lifting(lift: Lifting) -> None:
    if lift.blocking:
        rows = [[one.need, amount(one.quantity), one.tier, one.level] for one in lift.blocking[:ROWS]]
        table("who blocks it", ["need", "takes", "tier", "level"], rows)
        print(f"  {counted(lift.blocking_offers, 'offer')} could be of use, directly or by others passing on; these take of them")
        if len(lift.blocking) > ROWS:
            print(f"  and {len(lift.blocking) - ROWS:,} more; --json has them all")
    _list(f"each of these alone is enough to lift it by {amount(lift.by)}", tuple(one.sentence for one in lift.enough))
    _list("what cannot be said", lift.unsaid)


def _show_served(found: Explanation) -> None:
    rows = [
        [
            line.provider,
            amount(line.quantity),
            line.state + (", late" if line.late else ""),
            line.distance_m / 1000,
            line.effort,
            line.level,
            "" if line.pressure is None else "tier {tier}, level {level}, effort {effort}".format_map(line.pressure),
            line.proposal[:12],
        ]
        for line in found.served
    ]
    table("served by", ["from", "how much", "state", "km", "effort", "level", "pressure there", "proposal"], rows)
    table_note = "level: portions its claim had before; pressure: what one unit more at that offer would serve (empty: nobody is short)"
    print(f"  {table_note}")


def _list(title: str, sentences: tuple[str, ...]) -> None:
    if sentences:
        print(f"{title}:")
        for sentence in sentences:
            print(f"  - {sentence}")
