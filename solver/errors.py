"""What can go wrong in the solver, split by what the reader does: mend the question, or call us."""

__all__ = ["BadProblem", "EngineFault", "SolverError", "TooLarge"]


class SolverError(Exception):
    """Anything the solver raises on purpose."""


class BadProblem(SolverError, ValueError):
    """The question does not hold together: mend the arrays it was asked with."""


class TooLarge(BadProblem):
    """The numbers are too large to be compared exactly in 64 bits: ask in coarser units."""


class EngineFault(SolverError, RuntimeError):
    """The engine gave no optimum where one exists. It is a defect: keep the question and report it."""
