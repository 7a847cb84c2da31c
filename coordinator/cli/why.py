"""``coordinator why NEED``: why it is served as it is, or short."""

from coordinator.cli.loading import Where, load
from coordinator.cli.network import amount, print_json
from coordinator.cli.output import table
from coordinator.explaining import Explanation, explain

__all__ = ["show_why"]

ROWS = 12  # users of what could reach the need; the rest is counted, and --json has them all


def show_why(where: Where, need: str, to_json: bool) -> None:
    """Print who serves a need and by which reasons, what keeps the rest away, and what could change it."""
    found = explain(load(where, quiet=to_json).coordination, need)
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
