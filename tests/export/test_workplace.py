"""Where an export is made: what is left of it, and of one that was killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from framecast.export.workplace import workplace
from framecast.locks import held

HOLD = """
import sys
from pathlib import Path
from framecast.export.workplace import workplace
with workplace(Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_it_is_beside_the_output_and_gone_afterwards(tmp_path: Path) -> None:
    output = tmp_path / "served [1]"
    with workplace(output) as folder:
        assert folder.parent == tmp_path
        (folder / "half").write_text("written", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError), workplace(output):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_killed_exports_is_swept_and_a_living_ones_is_not(tmp_path: Path) -> None:
    output = tmp_path / "served [1]"
    command = [sys.executable, "-c", HOLD, str(output)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        left = Path(killed.stdout.readline().strip())  # type: ignore[union-attr]
        killed.kill()
    assert left.is_dir()
    other = tmp_path / ".served-export-others"
    other.mkdir()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        held = Path(living.stdout.readline().strip())  # type: ignore[union-attr]
        assert not left.exists()
        with workplace(output):
            assert held.is_dir()
        assert held.is_dir()
        living.communicate("")
    assert list(tmp_path.iterdir()) == [other]


def test_one_that_ends_while_it_is_looked_at_disturbs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / ".served-export-1"
    left.mkdir()

    def ended(folder: Path) -> bool:
        folder.rmdir()
        return held(folder)

    monkeypatch.setattr("framecast.export.workplace.held", ended)
    with workplace(tmp_path / "served") as folder:
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
