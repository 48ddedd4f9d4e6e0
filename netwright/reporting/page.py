"""Self-contained HTML pages: templates beside this module, styles, scripts and pictures inside the page."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from netwright.artifacts.whole_file import write_text
from netwright.reporting import units


def write_page(path: Path, template: str, *, package: str = "netwright.reporting", **context: Any) -> None:
    """Render ``template`` with ``context`` and write it whole to ``path``.

    Every value is escaped; a name that the template uses and ``context`` lacks is an error. A page that extends
    ``base.html`` needs ``title``, and ``summary``, the line below it. ``package`` holds the template in its folder
    ``templates``; those beside this module can be extended and imported from anywhere.
    """
    write_text(path, _environment(package).get_template(template).render(**context))


def picture_uri(pixels: NDArray[np.uint8], quality: int = 88) -> str:
    """(H, W, 3) RGB as a ``data:`` URI: JPEG, since a page of lossless photographs is too heavy to send."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=quality)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _environment(package: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in dict.fromkeys((package, "netwright.reporting"))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        decimals=units.decimals, signed=units.signed, significant=units.significant, amount=units.amount
    )
    return environment
