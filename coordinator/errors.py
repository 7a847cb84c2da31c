"""What can go wrong, split by what the reader does next: mend the input, try again, or call us."""

__all__ = ["Defect", "Refused", "Unavailable", "WrongValue"]


class Refused(Exception):
    """The input cannot be taken as it is. The message says what came, what was expected and what to do."""


class WrongValue(Refused):
    """What was asked about is known, but a value that came with the question cannot be taken."""


class Unavailable(Exception):
    """Something outside (a disk, a broker, a port) did not do its part. The message says what to check; the same call may work later."""


class Defect(Exception):
    """A promise of this program was broken. Nothing was published; the message says what to report."""
