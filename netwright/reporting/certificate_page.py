"""A certificate as a page for people: self-contained, printable."""

from pathlib import Path

from netwright.reporting.certificate_cards import cards_of
from netwright.reporting.certificate_view import Certificate, sections_of
from netwright.reporting.page import write_page


def write_certificate_page(path: Path, certificate: Certificate, *, name: str) -> None:
    """Write the page whole to ``path``; ``name`` is the release's."""
    write_page(
        path,
        "certificate.html",
        title=f"{name}: model certificate",
        summary=f"{certificate['deployed']}, trained on {certificate['dataset']['name']}. "
        "The signature and python -m pipelines.certify verify prove this page; without them it is a claim.",
        cards=cards_of(certificate),
        sections=sections_of(certificate),
    )
