"""Numbers as a reader wants them. ``None`` is an en dash: not measured is not zero."""

NOTHING = "–"


def decimals(value: float | None, digits: int) -> str:
    """Fixed number of decimals, with a true minus sign."""
    return NOTHING if value is None else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float | None, digits: int) -> str:
    """As ``decimals``, with a sign always; what rounds to nothing has none."""
    if value is None:
        return NOTHING
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def significant(value: float | None, digits: int = 3) -> str:
    """At least ``digits`` significant digits for small numbers, all whole digits for large ones."""
    if value is None:
        return NOTHING
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(digits - whole, 0)}f}"


def amount(value: float | None, unit: str = "") -> str:
    """A count or a size in thousands (SI): 4 213 000 is ``4.21 M``, with the unit after the prefix."""
    if value is None:
        return NOTHING
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{significant(value / factor)} {prefix}{unit}"
    return f"{value:.0f} {unit}".strip()
