"""The one exception that a user may cause.

Entrypoints print its message as a single line and exit with status 1; anything else is a defect of ours
and keeps its traceback.
"""


class UserError(Exception):
    """Bad input: the message says in one line what was asked, what was found and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
