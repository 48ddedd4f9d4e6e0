"""Whole numbers from a least value on, as a type of argparse."""

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """A reader of whole numbers that refuses those below ``least``, in one line that names the argument."""

    def whole_number(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is too small: at least {least}")
        return number

    return whole_number
