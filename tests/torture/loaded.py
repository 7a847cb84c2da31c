"""All that a coordinator's process needs, the compiled engine included: imported once, by the process that others are forked from."""

import coordinator.cli.serve  # noqa: F401  # what the command would load
from solver import prepare

prepare()
