"""One pass over the kept pictures: counts, histograms with fixed bins, and a few pictures to show.

What is kept grows with the number of classes and groups, not with the number of pictures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from netwright.data.examined import Examined


@dataclass(frozen=True, kw_only=True)
class Survey:
    """``facts`` are JSON values (see dataset_report.schema.json); ``sample`` are the contact sheet's pictures."""

    facts: dict[str, Any]
    sample: tuple[Examined, ...]


def survey_pictures(pictures: Iterable[Examined], classes: Sequence[str]) -> Survey:
    """Look once at ``pictures``: those that are kept, in any order, each with its final split and mapped labels."""
    raise NotImplementedError
