"""From plain YAML values to frozen dataclasses, strictly: every key known, every key there, every type right."""

import difflib
import math
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from netwright.errors import UserError
from netwright.types import Range


def typed(value: Any, wanted: Any, key: str = "") -> Any:
    """Return ``value`` as ``wanted``: a dataclass, dict[str, T], list[T], tuple[T, ...], T | None, Literal or scalar.

    ``Annotated[T, Range(low, high)]`` bounds a number.

    ``key`` is the dotted place in the snapshot, for messages. An int serves as a float; nothing else is converted.
    Raises UserError naming the key, what was found and what was wanted.
    """
    if is_dataclass(wanted):
        return _dataclass(value, wanted, key)
    origin = get_origin(wanted)
    if origin is Annotated:
        return _ranged(typed(value, get_args(wanted)[0], key), get_args(wanted)[1], key)
    if origin is Literal:
        return _chosen(value, get_args(wanted), key)
    if origin is list:
        return [typed(item, get_args(wanted)[0], f"{key}[{n}]") for n, item in enumerate(_sequence(value, wanted, key))]
    if origin is dict:
        return _dict(value, wanted, key)
    if origin is tuple:
        return _tuple(_sequence(value, wanted, key), wanted, key)
    if origin is types.UnionType:
        return None if value is None else typed(value, get_args(wanted)[0], key)
    return _scalar(value, wanted, key)


def known_keys(wanted: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every value, and of every group of values, in the dataclass ``wanted``."""
    for name, kind in get_type_hints(wanted).items():
        yield prefix + name
        if is_dataclass(kind):
            yield from known_keys(kind, f"{prefix}{name}.")


def suggestion(found: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" where something close to ``found`` is known, else an empty string."""
    close = difflib.get_close_matches(found, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _dataclass(value: Any, wanted: Any, key: str) -> Any:
    if not isinstance(value, Mapping):
        raise UserError(f"{key or 'params.yaml'} must be a mapping, found {_shown(value)}")
    prefix = f"{key}." if key else ""
    names = [field.name for field in fields(wanted)]
    for name in value:
        if name not in names:
            raise UserError(f"unknown key {prefix}{name}{suggestion(str(name), names)}; known: {', '.join(names)}")
    for name in names:
        if name not in value:
            raise UserError(
                f"missing key {prefix}{name}: conf/ must give it a value (then python -m pipelines.compose)"
            )
    hints = get_type_hints(wanted, include_extras=True)
    return wanted(**{name: typed(value[name], hints[name], prefix + name) for name in names})


def _sequence(value: Any, wanted: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        kinds = ", ".join(_called(kind) for kind in get_args(wanted) if kind is not Ellipsis)
        raise UserError(f"{key} must be a list (of {kinds}), found {_shown(value)}")
    return value


def _dict(value: Any, wanted: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{key} must be a mapping, found {_shown(value)}")
    for name in value:
        if not isinstance(name, str):
            raise UserError(f"{key} has the key {_shown(name)}: keys are text, so write it in quotes")
    return {name: typed(item, get_args(wanted)[1], f"{key}.{name}") for name, item in value.items()}


def _tuple(value: list[Any], wanted: Any, key: str) -> tuple[Any, ...]:
    kinds = get_args(wanted)
    if len(value) != len(kinds):
        raise UserError(f"{key} must hold {len(kinds)} values, found {len(value)}: {value}")
    return tuple(typed(item, kind, f"{key}[{n}]") for n, (item, kind) in enumerate(zip(value, kinds, strict=True)))


def _scalar(value: Any, wanted: type, key: str) -> Any:
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise UserError(f"{key} must be {_called(wanted)}, found {_shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key} must be a finite number, found {value}")
    return value


def _ranged(value: float, bounds: Range, key: str) -> float:
    if not bounds.low <= value <= bounds.high:
        raise UserError(f"{key} must be {bounds}, found {value}")
    return value


def _chosen(value: Any, choices: tuple[Any, ...], key: str) -> Any:
    if value not in choices:
        known = ", ".join(map(str, choices))
        raise UserError(f"{key} must be one of {known}, found {_shown(value)}{suggestion(str(value), choices)}")
    return value


def _called(wanted: Any) -> str:
    origin, kinds = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return f"{_called(kinds[0])} {kinds[1]}"
    if origin is Literal:
        return " or ".join(map(str, kinds))
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return words.get(wanted, str(wanted))


def _shown(value: Any) -> str:
    kind = {type(None): "nothing (null)", dict: "a mapping", list: f"the list {value}"}
    return kind.get(type(value), f"{value!r} ({type(value).__name__})")
