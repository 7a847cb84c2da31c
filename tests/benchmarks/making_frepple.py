"""FrePPLe's planning models planned by us, beside the plans that it is expected to make of them.

    STIGMERGY_DATA=/where/it/is python -m tests.benchmarks.making_frepple

A row for every case: expressed or not, and which features are missing; pieces on time of all its demands by both; the demands of which
fewer come on time with us. Then `manufacturing_demo`, which has no expected plan. With each, how many pieces any plan at all can have on
time at most, by a linear program. Times are CPU seconds of planning.
"""

import argparse
import time
from fractions import Fraction
from functools import partial

from solver.making import ProductionPlan, broken_rules, gap
from tests.support.frepple import expected, read_case, read_fixture
from tests.support.frepple_arrays import Asked, on_time, planned, unkept
from tests.support.frepple_bound import most_on_time
from tests.support.programs import real_data_folder


def main() -> None:
    """Print the table of cases and the demo's demands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demands", action="store_true", help="a row for each demand too")
    parser.add_argument("--most", type=int, default=10_000, help="cases, in order of name")
    said = parser.parse_args()
    data = real_data_folder(parser, "frepple") / "frepple"
    expressed, level, cases = 0, 0, sorted((data / "cases").iterdir())[: said.most]
    for folder in cases:
        start = time.process_time()
        answer = planned(partial(read_case, folder / f"{folder.name}.xml"))
        if isinstance(answer, set):
            print(f"{folder.name:22} missing: {'; '.join(sorted(answer))}")
            continue
        spent, theirs = time.process_time() - start, expected(folder)
        most = most_on_time(partial(read_case, folder / f"{folder.name}.xml"))
        expressed += 1
        ours = on_time(*answer)
        fewer = below(ours, theirs or {})
        level += not fewer
        told = f"on time {whole(ours)}, expected {'no such plan' if theirs is None else whole(theirs)}, at most {most}, {spent:.1f} s"
        print(f"{folder.name:22} expressed  {told}  {state(*answer)}", *fewer, sep="  ")
        for name, pieces in ours.items() if said.demands else ():
            print(f"    {name:34} {float(pieces):g} of ours, {float((theirs or {}).get(name, Fraction(0))):g} expected")
    print(f"{expressed} of {len(cases)} expressed, {level} of them with every demand on time as far as expected")
    demo = partial(read_fixture, data / "fixtures" / "manufacturing_demo.json")
    start = time.process_time()
    answer = planned(demo)
    if isinstance(answer, set):
        print(f"manufacturing_demo     missing: {'; '.join(sorted(answer))}")
        return
    asked, _ = answer
    print(f"manufacturing_demo     {time.process_time() - start:.1f} s  {state(*answer)}")
    ours = on_time(*answer)
    for demand in filter(None, asked.demands):
        print(f"    {demand.name:12} {demand.item:16} due {demand.due.date()}  on time {float(ours[demand.name]):g} of {demand.quantity}")
    asked_for = sum(int(demand.quantity) for demand in asked.demands if demand)
    print(f"    on time {whole(ours)} of {asked_for}; no plan has more than {most_on_time(demo)}")


def below(ours: dict[str, Fraction], theirs: dict[str, Fraction]) -> list[str]:
    """Return a sentence for each demand of which fewer pieces come on time with us."""
    return [
        f"{name}: {float(ours.get(name, Fraction(0))):g} for {float(pieces):g}"
        for name, pieces in theirs.items()
        if ours.get(name, Fraction(0)) < pieces
    ]


def whole(pieces: dict[str, Fraction]) -> str:
    """Return a total without needless digits."""
    return f"{float(sum(pieces.values())):g}"


def state(asked: Asked, plan: ProductionPlan) -> str:
    """Return how good and how true a plan is."""
    broken = len(broken_rules(asked.problem, plan)) + (unkept(asked, plan) > 0)
    days = asked.bucket_seconds // 86_400
    return f"gap {float(gap(asked.problem, plan)):.5f}, buckets of {days} days, {broken} rules broken"


if __name__ == "__main__":
    main()
