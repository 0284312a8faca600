"""One root for every error of this project."""

from __future__ import annotations


class ExchangeRouterError(Exception):
    """Root of all errors that this project raises on purpose."""


class BadInputError(ExchangeRouterError):
    """Input that breaks a rule; its text is one line a user can act on.

    Parameters
    ----------
    place : str
        Where in the input: a key path, a row, a parameter.
    rule : str
        What must hold, as a sentence without a full stop.
    value : object
        What was found instead.
    file : str, optional
        The file it came from, as the user named it.
    """

    def __init__(self, place: str, rule: str, value: object, file: str | None = None) -> None:
        super().__init__(place, rule, value, file)
        self.place = place
        self.rule = rule
        self.value = value
        self.file = file

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 200:
            shown = shown[:197] + "..."
        where = f"{self.file}: {self.place}" if self.file else self.place
        line = f"{where}: {self.rule} (got {shown})"
        # One line whatever the input held: line ends of every kind, terminal escapes, lone surrogates.
        return "".join(char if char.isprintable() else " " for char in line)

    def within(self, file: str) -> BadInputError:
        """Return the same error with the file named; an error that names one already keeps it."""
        return BadInputError(self.place, self.rule, self.value, self.file or file)


class FailedCheckError(ExchangeRouterError):
    """A check that was asked for ran to its end, and what was checked did not pass."""
