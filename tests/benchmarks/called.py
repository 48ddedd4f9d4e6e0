"""A command's main, called as the shell does."""

from collections.abc import Callable

import pytest


def called(monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], *arguments: str) -> int:
    """The exit status of ``main`` with these arguments."""
    monkeypatch.setattr("sys.argv", ["it", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)
