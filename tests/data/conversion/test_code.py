"""The digest of the code covers all that decides what is found in a picture."""

import subprocess
import sys
from pathlib import Path

from netwright.data.conversion import code
from netwright.data.conversion.code import code_digest
from netwright.data.conversion.scan import CODE

LIBRARY = Path(code.__file__).parents[2]
# how work and bytes are passed on, and what users are told of
ELSEWHERE = {
    "errors.py",
    "artifacts/dataset.py",
    "artifacts/record.py",
    "artifacts/whole_file.py",
    "data/feeding/worker_pool.py",
}


def test_an_edited_or_renamed_file_changes_the_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "_LIBRARY", tmp_path)
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/one.py").write_text("tiny = 4")
    digest = code_digest.__wrapped__
    found = [digest("checks")]
    (tmp_path / "checks/one.py").write_text("tiny = 5")
    found.append(digest("checks"))
    (tmp_path / "checks/one.py").rename(tmp_path / "checks/two.py")
    found.append(digest("checks"))
    (tmp_path / "colour.py").write_text("")
    found.append(digest("checks", "colour.py"))
    assert len(set(found)) == 4
    assert digest("checks", "colour.py") == found[-1]


def test_everything_that_examining_imports_is_covered():
    program = "import sys, netwright.data.conversion.scan, netwright.data.conversion.source\nfor m in list(sys.modules.values()): print(getattr(m, '__file__', None) or '')"  # noqa: E501 one program
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=LIBRARY.parent, capture_output=True, text=True, check=True
    )
    files = [Path(line).relative_to(LIBRARY) for line in shown.stdout.split("\n") if line.startswith(f"{LIBRARY}/")]
    inside = [file for file in files if file.name != "__init__.py" and file.as_posix() not in ELSEWHERE]
    assert inside
    assert [file for file in inside if not any(file.is_relative_to(part) for part in CODE)] == []
