"""Something that answers like Ultralytics' command line, for the commands that call it."""

from pathlib import Path

CODE = r"""
import json, sys
from pathlib import Path


def entrypoint():
    given = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    assert Path(given["data"]).is_file()
    folder = Path(given["project"]) / given["name"]
    folder.mkdir(parents=True, exist_ok=True)
    with (Path(__file__).parent / "calls.txt").open("a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\n")
    if "train" in sys.argv:
        rows = [f"{epoch},{epoch}\n" for epoch in range(1, int(given["epochs"]) + 1)]  # a second each
        (folder / "results.csv").write_text("epoch,time\n" + "".join(rows))
    else:
        (folder / "predictions.json").write_text(json.dumps([given["data"]]))
"""


def make_ultralytics(folder: Path) -> Path:
    """Install it into ``folder``; return the file that lists its calls."""
    package = folder / "ultralytics"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cfg.py").write_text(CODE)
    return package / "calls.txt"
