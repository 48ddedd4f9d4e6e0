"""Reading a large JSON object an element at a time, so that memory does not grow with the file.

The standard library's C scanner decodes each element from a window over the text. Against ijson it needs one pass for
all arrays of the file, and reads the NaN that Python's own json writes.
"""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from netwright.errors import UserError

_CHUNK = 1 << 20
LARGEST_ELEMENT = 1 << 24  # characters; COCO's largest annotation is far below one million
_EXPONENT = 2  # "e-": a number that seems to end here may go on in the next chunk
_SPACE = re.compile(r"[ \t\r\n]*").match


def stream_object(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (key, element) for the JSON object in ``path``: each element of an array, or the value that is no array.

    Raises UserError for a file that is no UTF-8 JSON object, nests too deeply, or has an element of more than
    LARGEST_ELEMENT characters.
    """
    try:
        with path.open("rb") as file:
            yield from _Window(file).members()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): restore it, or mend its rights") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a readable JSON object ({error}): repair or remove it") from None


class _Window:
    """The part of the text that has been read and not yet been decoded."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.text, self.at, self.ended = file, "", 0, False
        self.bytes = codecs.getincrementaldecoder("utf-8-sig")()
        self.scan = json.JSONDecoder().raw_decode

    def members(self) -> Iterator[tuple[str, Any]]:
        self.expect("{")
        if self.peek() == "}":
            self.at += 1
        else:
            while True:
                key = self.value()
                if not isinstance(key, str):
                    raise ValueError("a key is not a text")  # noqa: TRY004 one kind of error for all that is not JSON
                self.expect(":")
                if self.peek() == "[":
                    yield from ((key, element) for element in self.elements())
                else:
                    yield key, self.value()
                if self.expect(",}") == "}":
                    break
        if self.peek():
            raise ValueError("more text after its end")

    def elements(self) -> Iterator[Any]:
        self.expect("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            if self.expect(",]") == "]":
                return

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self.scan(self.text, self.at)
            except json.JSONDecodeError:
                if self.ended:
                    raise
                if len(self.text) - self.at > LARGEST_ELEMENT:
                    raise ValueError(f"broken, or an element of more than {LARGEST_ELEMENT >> 20} MB") from None
            else:
                if end + _EXPONENT < len(self.text) or self.ended:
                    self.at = end
                    return value
            self.more()

    def expect(self, marks: str) -> str:
        found = self.peek()
        if not found or found not in marks:
            raise ValueError(f"{found!r} where one of {marks!r} is expected" if found else "its end is missing")
        self.at += 1
        return found

    def peek(self) -> str:
        """The next character that is no white space, "" at the end."""
        while True:
            self.at = _SPACE(self.text, self.at).end()  # type: ignore[union-attr] # it matches nothing, too
            if self.at < len(self.text):
                return self.text[self.at]
            if self.ended:
                return ""
            self.more()

    def more(self) -> None:
        rest = self.text[self.at :]
        piece = self.file.read(max(_CHUNK, len(rest)))  # doubled for a long element, so that rescans stay few
        self.ended = not piece
        self.text, self.at = rest + self.bytes.decode(piece, final=self.ended), 0
