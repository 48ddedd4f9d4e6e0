"""Thumbnails of the data report's page, kept in the catalogue for as long as their pictures stay the same."""

import hashlib
import json
from dataclasses import asdict
from functools import partial

import PIL

from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.code import code_digest
from netwright.data.report.thumbnails import Thumbnail, make_thumbnail

_CODE = ("data/report/thumbnails.py", "data/feeding/colour.py")  # gives thumbnails their bytes


class KeptThumbnails:
    """Makes each thumbnail once. ``keys`` are those of the catalogue's notes that were asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._way = f"{code_digest(*_CODE)}\0{PIL.__version__}\0".encode()
        self.keys: set[str] = set()

    def of(self, name: str) -> Thumbnail:
        """The thumbnail of the picture called ``name``."""
        state = self._catalogue.state(name)
        read = partial(self._catalogue.picture, name)
        if state is None:
            return make_thumbnail(read)
        key = hashlib.sha256(self._way + state).hexdigest()
        self.keys.add(key)
        if noted := self._catalogue.noted(key):
            return Thumbnail(**json.loads(noted))
        made = make_thumbnail(read)
        self._catalogue.note(key, json.dumps(asdict(made)))
        return made
