"""A certificate as Markdown: whole, and as the few lines that a model registry shows."""

from collections.abc import Sequence
from pathlib import Path

from netwright.artifacts.whole_file import write_text
from netwright.reporting.certificate_cards import cards_of
from netwright.reporting.certificate_view import Certificate, Section, Table, sections_of

_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|#"})


def write_certificate_text(path: Path, certificate: Certificate, *, name: str) -> None:
    """Write the whole certificate as Markdown to ``path``; ``name`` is the release's."""
    parts = [f"# {_plain(name)}: model certificate", summary_text(certificate)]
    parts += [_section(section) for section in sections_of(certificate)]
    write_text(path, "\n\n".join(parts) + "\n")


def summary_text(certificate: Certificate) -> str:
    """The headlines and limitations in Markdown, such as for the description of a registered model."""
    headlines = [
        f"- **{_plain(card.name)}: {_plain(card.value)}**, {_plain(card.note)}" for card in cards_of(certificate)
    ]
    limits = [f"- {_plain(text)}" for text in certificate["limitations"]]
    return "\n".join([f"`{certificate['deployed']}` certified.", "", *headlines, "", "Limitations:", "", *limits])


def _section(section: Section) -> str:
    parts = [f"## {section.title}"]
    parts += [_plain(section.hint)] if section.hint else []
    parts += ["\n".join(f"- {_plain(text)}" for text in section.points)] if section.points else []
    if section.facts:
        parts.append(_table(Table(head=["", ""], rows=section.facts, text=True)))
    parts += [_table(table) for table in section.tables]
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    aligned = ["---", *(["---" if table.text else "---:"] * (len(table.head) - 1))]
    lines = [_line(table.head), f"| {' | '.join(aligned)} |", *(_line(row) for row in table.rows)]
    return "\n".join([*([f"{table.caption}:", ""] if table.caption else []), *lines])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """``text`` on one line, without a meaning in Markdown."""
    return " ".join(text.split()).translate(_SPECIAL)
