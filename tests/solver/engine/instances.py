"""Small random problems of every kind, and events that can happen to them."""

import numpy as np

from solver import Problem, staircase
from solver.engine import kernel
from solver.engine.layout import Layout
from solver.field import Field, _Column

RULES = ("off", "portions", "ratio")
HAPPENINGS = (
    "offer",
    "need",
    "received",
    "restep",
    "add offer",
    "add need",
    "add claim",
    "add arc",
    "add arcs",
    "arc",
    "arc",
    "pin",
    "pin",
)


def problem_of(seed: int, most_nodes: int = 12) -> Problem:
    """Return a problem that depends on the seed alone: every rule, shared and single claims, limits, kept parts."""
    rng = np.random.default_rng(seed)
    offers, needs = int(rng.integers(1, most_nodes)), int(rng.integers(1, most_nodes))
    pairs = sorted({(int(rng.integers(offers)), need) for need in range(needs) for _ in range(int(rng.integers(1, 5)))})
    rng.shuffle(pairs)
    shared, hysteresis = seed % 2 == 1, (0, 0, 3)[seed // 6 % 3]
    claims = max(1, needs // 2) if shared else needs
    claim = rng.integers(0, claims, needs) if shared else rng.permutation(needs)
    demand = rng.integers(0, 30, needs)
    asked = np.zeros(claims, dtype=np.int64)
    np.add.at(asked, claim, demand)
    count = len(pairs)
    return Problem.of(
        rng.integers(0, 30, offers),
        demand,
        [pair[0] for pair in pairs],
        [pair[1] for pair in pairs],
        rng.integers(0, 50, count),
        claim=claim,
        tier=rng.integers(0, 4, claims),
        received=rng.integers(0, 20, claims),
        staircase=staircase(RULES[seed % 3], 7, 1, asked, 12),
        most=rng.integers(0, 25, count) if rng.random() < 0.5 else None,
        kept=rng.integers(0, 8, count) * (rng.random(count) < 0.3),
        hysteresis=hysteresis,
    )


def in_use(laid: Layout) -> dict[str, bytes]:
    """Return the bytes of all that is written of a network, and of where things are in it."""
    net, nodes = laid.net, laid.nodes
    used = np.zeros(int(net.state[kernel.POOL]), dtype=bool)  # The other places are spare.
    for side in (0, kernel.INTO):
        for first, count in net.span[:nodes, [side + kernel.START, side + kernel.COUNT]].tolist():
            used[first : first + count] = True
    places = net.place[: len(used)][used]
    tables = {
        "node": net.node[:nodes],
        "edge": net.edge[:nodes],
        "space": net.space[:nodes],
        "gate": net.gate[:nodes],
        "arc": net.arc[: laid.arcs],
        "place": places,
        "cost": net.cost[places[places[:, kernel.COST] == kernel.LONG, kernel.ARC]],
        "state": net.state,
    }
    for name in ("offer_node", "need_node", "claim_node", "way", "twin", "sole"):
        tables[name] = getattr(laid, name)
    return {name: table.tobytes() for name, table in tables.items()} | {"rows": f"{nodes} {laid.arcs}".encode()}


def everything(field: Field) -> dict[str, bytes]:
    """Return the bytes of all that a field holds."""
    columns = {name: column.values.tobytes() for name, column in vars(field).items() if isinstance(column, _Column)}
    return in_use(field._layout) | columns | {"rest": repr((field._free_arcs, field._scale, field._offered, field._asked)).encode()}


def anything_happens(field: Field, rng: np.random.Generator, alive: set[int]) -> str:
    """Let one random event happen to the field, and return its name; ``alive`` are the positions of its arcs."""
    problem = field.problem()
    offers, needs, claims = len(problem.supply), len(problem.demand), len(problem.tier)
    what = str(rng.choice(HAPPENINGS))
    if what == "offer":
        i = int(rng.integers(offers))
        field.offer_changes(i, int(rng.integers(-problem.supply[i], 20)))
    elif what == "need":
        j = int(rng.integers(needs))
        field.need_changes(j, int(rng.integers(-problem.demand[j], 20)))
    elif what == "received":
        field.claim_received(int(rng.integers(claims)), int(rng.integers(0, 40)))
    elif what == "restep":
        some = rng.permutation(claims)[: int(rng.integers(claims + 1))]
        steepest = 1 if problem.levels == 1 else 4
        field.restep(some, rng.integers(0, steepest, len(some)), rng.integers(1, 12, len(some)))
    elif what == "add claim":
        rise = 0 if problem.levels == 1 else int(rng.integers(0, 3))
        field.add_claim(int(rng.integers(4)), rise, int(rng.integers(1, 9)), int(rng.integers(9)))
    elif what in ("add offer", "add need", "add arc", "add arcs"):
        _something_comes(field, rng, what, problem, alive)
    elif alive:
        _arc_changes(field, rng, what, problem, alive)
    return what


def _something_comes(field: Field, rng: np.random.Generator, what: str, problem: Problem, alive: set[int]) -> None:
    offers, needs, before = len(problem.supply), len(problem.demand), len(problem.offer)
    if what == "add arc":
        offer, need = int(rng.integers(offers)), int(rng.integers(needs))
        if (offer, need) not in {(int(problem.offer[a]), int(problem.need[a])) for a in alive}:
            alive.add(field.add_arc(offer, need, int(rng.integers(0, 50)), None if rng.random() < 0.5 else int(rng.integers(0, 20))))
        return
    if what == "add arcs":
        there = {(int(problem.offer[a]), int(problem.need[a])) for a in alive}
        free_pairs = [(i, j) for i in range(offers) for j in range(needs) if (i, j) not in there]
        chosen = [free_pairs[x] for x in rng.permutation(len(free_pairs))[: int(rng.integers(0, 12))]]
        starts, ends = [i for i, _ in chosen], [j for _, j in chosen]
        most = None if rng.random() < 0.5 else rng.integers(0, 20, len(chosen)).tolist()
        alive.update(field.add_arcs(starts, ends, rng.integers(0, 50, len(chosen)).tolist(), most))
        return
    others = rng.permutation(needs if what == "add offer" else offers)[:4].tolist()
    efforts = rng.integers(0, 80, len(others)).tolist()
    free = [a for a in range(before) if a not in alive]
    if what == "add offer":
        field.add_offer(int(rng.integers(0, 30)), others, efforts)
    else:
        most = rng.integers(0, 30, len(others)).tolist()
        field.add_need(int(rng.integers(len(problem.tier))), int(rng.integers(0, 30)), others, efforts, most)
    after = field.problem()
    alive.update(a for a in free if (problem.offer[a], problem.need[a], problem.most[a]) != (after.offer[a], after.need[a], after.most[a]))
    alive.update(range(before, len(after.offer)))


def _arc_changes(field: Field, rng: np.random.Generator, what: str, problem: Problem, alive: set[int]) -> None:
    arc = int(rng.choice(sorted(alive)))
    kind = int(rng.integers(4))
    if what == "pin":
        carrying = [a for a in np.flatnonzero(field.flow()).tolist() if a in alive]
        if carrying:
            arc = int(rng.choice(carrying))
            field.pin(arc, int(rng.integers(0, field.flow()[arc] + 1)))
    elif kind == 0:
        field.remove_arc(arc)
        alive.discard(arc)
    elif kind == 1:
        field.change_effort(arc, int(rng.integers(0, 70)))
    elif kind == 2:
        field.change_most(arc, int(rng.integers(0, 30)))
    elif problem.hysteresis:
        field.keep(arc, int(rng.integers(0, 15)))
