"""``index.html`` of a converted dataset: one self-contained page with counts, charts and pictures with their boxes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from netwright.data.examined import Offence
from netwright.data.survey import Survey


def make_page(
    report: Mapping[str, Any], survey: Survey, offences: Iterable[Offence], picture_of: Callable[[str], bytes]
) -> str:
    """The page for ``report`` (see make_report), the same bytes for the same data.

    ``picture_of`` returns the encoded picture of a name, of dropped pictures too; where it raises OSError, KeyError
    or UserError, or the picture cannot be decoded, the page says so in the picture's place.
    """
    raise NotImplementedError
