"""What programs that measure share: the folder of real data sets, and counts of which nothing can be measured at none."""

import argparse
import os
from pathlib import Path

__all__ = ["at_least_one", "real_data_folder"]


def at_least_one(text: str) -> int:
    """Return a count, for an option of a program; none, or less, is refused."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} came; at least 1 is measured")
    return count


def real_data_folder(parser: argparse.ArgumentParser, *needed: str) -> Path:
    """Return the folder that STIGMERGY_DATA names; where that is none, or lacks what is needed, end with a sentence and code 2."""
    named = os.environ.get("STIGMERGY_DATA", "")
    if not named:
        parser.error(f"STIGMERGY_DATA is not set: it names the folder with the real data sets, here {' and '.join(needed)}")
    missing = [name for name in needed if not (Path(named) / name).is_dir()]
    if missing:
        parser.error(f"STIGMERGY_DATA names {named}, which has no folder {' and none called '.join(missing)}")
    return Path(named)
