"""The one exception that a user's mistake raises: it names field, value and what is allowed.

It stands outside the floors, so that every room can raise it.
"""


class AccelsimError(ValueError):
    """A mistake in what was asked for. The message is one line and complete by itself."""
