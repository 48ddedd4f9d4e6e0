"""What a certificate says, laid out once for the page and for the Markdown text: sections of facts and tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netwright.reporting.certificate_numbers import interval, label, metric, points, shown
from netwright.reporting.units import amount, signed, significant

Certificate = Mapping[str, Any]
_PRINTED_SPLITS = ("test", "val")


@dataclass(frozen=True, kw_only=True)
class Table:
    """``rows`` are as long as ``head``; the first column is text, the others numbers unless ``text``."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    text: bool = False


@dataclass(frozen=True, kw_only=True)
class Section:
    """``points`` are sentences; a ``long`` section is folded away on the page."""

    title: str
    hint: str = ""
    points: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()
    long: bool = False


def sections_of(certificate: Certificate) -> list[Section]:
    """The sections, what matters most to a reader first."""
    return [
        Section(
            title="Limitations",
            hint="What the model was not tested on and must not be used for, in its author's words.",
            points=certificate["limitations"],
        ),
        _accuracy(certificate),
        _speed(certificate),
        _lineage(certificate),
        _parity(certificate),
        _input(certificate),
        _training(certificate),
        _dataset(certificate),
        Section(title="Machine and tools", facts=[*leaves(certificate["machine"]), *leaves(certificate["tools"])]),
        *_provenance(certificate),
    ]


def leaves(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """Every value of nested mappings with its dotted place; empty ones are left out."""
    for key, value in values.items():
        name = f"{place}{key}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{name}.")
        elif value not in (None, "", []):
            yield name, shown(value)


def _accuracy(certificate: Certificate) -> Section:
    accuracy, method = certificate["accuracy"], certificate["method"]
    names = list(accuracy["test"]["overall"])
    overall = [
        [label(name), *(metric(accuracy[split]["overall"][name]) for split in _PRINTED_SPLITS)] for name in names
    ]
    classes = accuracy["test"]["per_class"]
    kept = [name for name in names if any(name in row["metrics"] for row in classes.values())]
    per_class = [
        [name, str(row["boxes"]), *(metric(row["metrics"].get(one)) for one in kept)] for name, row in classes.items()
    ]
    sizes = {split: f"{split}: {accuracy[split]['images']} pictures" for split in _PRINTED_SPLITS}
    return Section(
        title="Accuracy",
        hint=(
            f"Of {certificate['deployed']}, 0 to 1, through the runtime itself. In brackets the "
            f"{method['confidence']:.0%} interval: {method['resamples']} resamples of the pictures, seed "
            f"{method['seed']}. It says how much other pictures of the same kind would change the figure; nothing was "
            "chosen on test."
        ),
        tables=[
            Table(head=["Metric", *sizes.values()], rows=overall),
            Table(head=["Class", "Boxes", *map(label, kept)], rows=per_class, caption="By class, on test"),
        ],
    )


def _speed(certificate: Certificate) -> Section:
    speed = certificate["speed"]
    latency = ", ".join(f"{name} {significant(value)}" for name, value in speed["latency_ms"].items())
    return Section(
        title="Speed",
        hint="The network alone, timed in turns with the other rows on an otherwise idle machine.",
        facts=[
            ("Latency, ms", f"{latency}; {speed['latency_calls']} calls of batch {speed['batch']}"),
            ("Throughput", f"{significant(speed['throughput_ips'])} pictures a second"),
            ("Runtime", f"{speed['runtime']} {speed['runtime_version']}"),
            ("Computes in", speed["precision_used"]),
            (
                "Device",
                f"{speed['device']}, {speed['threads']} threads, {certificate['machine']['cpu'].get('model', '')}",
            ),
        ],
    )


def _lineage(certificate: Certificate) -> Section:
    chosen = next(iter(certificate["lineage"][0]["test"]))
    head = [
        "Step",
        "Epochs",
        f"{label(chosen)}, test",
        "Points",
        "p50 ms",
        "Times as fast",
        "File",
        "Parameters",
        "MACs",
    ]
    rows = [
        [
            f"{step['row']}, computes in {step['speed']['precision_used']}",
            str(step["epochs"]),
            metric(step["test"][chosen]),
            points(step["points"]["test"]) if "points" in step else "",
            significant(step["speed"]["latency_ms"]["p50"]),
            interval(step["speedup"], 2) if "speedup" in step else "",
            amount(step["size_bytes"], "B"),
            amount(step["params"]),
            amount(step["macs"]),
        ]
        for step in certificate["lineage"]
    ]
    return Section(
        title="From baseline to deployed",
        hint=(
            "Points are of 0.01 mAP50-95, against the first step on the same resamples. Epochs are all that a model "
            "has behind it: where they differ, more training and compression cannot be told apart."
        ),
        tables=[Table(head=head, rows=rows)],
    )


def _parity(certificate: Certificate) -> Section:
    rows = [
        [
            row["row"],
            row["status"],
            row["reason"],
            row["reference"],
            "" if row.get("points_val") is None else signed(row["points_val"], 2),
        ]
        for row in certificate["parity"]
    ]
    head = ["Row", "Verdict", "Because", "Compared with", "Points on val"]
    return Section(
        title="Parity",
        hint="Every exported file on every runtime against the network that it was made from.",
        tables=[Table(head=head, rows=rows, text=True)],
    )


def _input(certificate: Certificate) -> Section:
    architecture = certificate["architecture"]
    others = {name: value for name, value in architecture.items() if name != "input"}
    return Section(title="Architecture and input", facts=[*leaves(others), *leaves(architecture["input"], "input.")])


def _training(certificate: Certificate) -> Section:
    training, weights = certificate["training"], certificate["weights"]
    return Section(
        title="Training",
        facts=[
            ("Started from", f"{weights['name']}: {weights['source']}"),
            ("Licence of these weights", weights["licence"]),
            *([("SHA-256 of these weights", weights["sha256"])] if weights["sha256"] else []),
            ("Epochs in all", ", ".join(f"{model} {count}" for model, count in training["epochs"].items())),
            ("Batch", str(training["batch_size"])),
            ("Precision", training["precision"]),
            ("Seeds", ", ".join(f"{name} {seed}" for name, seed in training["seeds"].items())),
        ],
    )


def _dataset(certificate: Certificate) -> Section:
    dataset = certificate["dataset"]
    leaks = dataset["leakage"]
    return Section(
        title="Dataset",
        facts=[
            ("Name", f"{dataset['name']} ({dataset['format']})"),
            ("Licence", dataset["licence"]),
            ("Fingerprint", dataset["fingerprint"]),
            ("Splits from", dataset["split_origin"]),
            *([("Groups from", dataset["group_origin"])] if dataset["group_origin"] else []),
            ("Pictures in two splits", f"{leaks['exact']} the same, {leaks['near']} nearly the same"),
            ("Boxes dropped, clipped", f"{dataset['boxes_dropped']}, {dataset['boxes_clipped']}"),
        ],
        tables=[
            Table(
                head=["Split", "Pictures", "Boxes"],
                rows=[[name, str(row["images"]), str(row["boxes"])] for name, row in dataset["splits"].items()],
            )
        ],
    )


def _provenance(certificate: Certificate) -> list[Section]:
    code = certificate["code"]
    hashes = [
        [f"{stage}: {'read' if side == 'deps' else 'made'} {path}", found]
        for stage, sides in certificate["stages"].items()
        for side, paths in sides.items()
        for path, found in paths.items()
    ]
    files = [[path, found] for path, found in certificate["files"].items()]
    return [
        Section(
            title="Configuration",
            hint="What the stages ran with.",
            facts=[*leaves(certificate["training"]["configuration"])],
            long=True,
        ),
        Section(
            title="Files and code",
            hint=f"Code is {', '.join(code['paths'])}: git ls-tree -r COMMIT {' '.join(code['paths'])} | sha256sum",
            facts=[("Code, SHA-256", code["sha256"])],
            tables=[
                Table(head=["File", "SHA-256"], rows=files, text=True),
                Table(
                    head=["Stage", "DVC's hash"], rows=hashes, text=True, caption="Inputs and outputs of every stage"
                ),
            ],
            long=True,
        ),
    ]
