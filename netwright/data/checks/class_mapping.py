"""Source classes to the dataset's own: renamed, merged or dropped, as TAO's ``target_class_mapping`` does."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

ClassCount = tuple[str, str | None, int]
"""(class in the source, class here or None where dropped, boxes as read in pictures that are kept)."""


def is_known(label: str, mapping: Mapping[str, str | None], classes: Sequence[str]) -> bool:
    """Whether ``label`` is a class at all: named in ``mapping`` (empty: every one is) and in ``classes`` (likewise)."""
    return (not mapping or label in mapping) and (not classes or label in classes)


def map_class(label: str, mapping: Mapping[str, str | None]) -> str | None:
    """Our name of a known class, None where its boxes are dropped."""
    return mapping[label] if mapping else label


def mapped_classes(sources: Iterable[str], mapping: Mapping[str, str | None]) -> tuple[str, ...]:
    """Our classes in the order of ``sources``, merged ones at the place of the first; unknown ones left out."""
    targets = (map_class(label, mapping) for label in sources if is_known(label, mapping, ()))
    return tuple(dict.fromkeys(target for target in targets if target is not None))


def count_classes(labels: Iterable[str], mapping: Mapping[str, str | None]) -> tuple[ClassCount, ...]:
    """What becomes of ``labels``, all known, and how often; ordered by source class."""
    counts = Counter(labels)
    return tuple((label, map_class(label, mapping), counts[label]) for label in sorted(counts))


def sum_counts(counts: Iterable[ClassCount], mapping: Mapping[str, str | None]) -> tuple[ClassCount, ...]:
    """All pictures' counts together, ordered by source class; a class of ``mapping`` that no box has counts 0."""
    total: Counter[tuple[str, str | None]] = Counter(dict.fromkeys(mapping.items(), 0))
    for source, target, boxes in counts:
        total[source, target] += boxes
    return tuple((source, target, total[source, target]) for source, target in sorted(total, key=lambda pair: pair[0]))
