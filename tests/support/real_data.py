"""The folder of real data sets, for programs that measure on them."""

import argparse
import os
from pathlib import Path

__all__ = ["real_data_folder"]


def real_data_folder(parser: argparse.ArgumentParser, *needed: str) -> Path:
    """Return the folder that STIGMERGY_DATA names; where that is none, end with a sentence and code 2."""
    named = os.environ.get("STIGMERGY_DATA", "")
    if not named:
        parser.error(f"STIGMERGY_DATA is not set: it names the folder with the real data sets, here {' and '.join(needed)}")
    missing = [name for name in needed if not (Path(named) / name).is_dir()]
    if missing:
        parser.error(f"STIGMERGY_DATA names {named}, which has no folder {' and none called '.join(missing)}")
    return Path(named)
