"""A pickle that would run code, under every name that a user could choose as input: it is refused and never run."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import run_folders
from mutators import sign_again
from PySide6.QtCore import QSettings
from small_images import write_idx_folder

from vaeviewer.backend.config import Settings, parse_settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.cli import main
from vaeviewer.errors import UserError
from vaeviewer.ui.window.stored_settings import open_settings

pytestmark = pytest.mark.slow


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that is there if a pickle was run."""
    return tmp_path / "it-ran"


def write_bomb(path: Path, mark: Path) -> Path:
    """A pickle; where the name says so, as torch and NumPy keep theirs."""
    data = pickle.dumps(Bomb(mark))
    if path.suffix in (".pt", ".npz"):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl" if path.suffix == ".pt" else "array.npy", data)
            file.writestr("archive/version", "3\n")
    elif path.suffix == ".npy":
        header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data)
    else:
        path.write_bytes(data)
    return path


def test_the_bombs_are_live(tmp_path: Path, mark: Path) -> None:
    pickle.loads(write_bomb(tmp_path / "bomb", mark).read_bytes())  # noqa: S301  # this test's own
    assert mark.exists()


@pytest.mark.parametrize("name", ["run", "run.pt", "run.npz", "run.npy", "manifest.json", "a.safetensors"])
def test_a_file_that_is_no_run_folder(
    name: str, tmp_path: Path, mark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write_bomb(tmp_path / name, mark))
    commands = (["evaluate", path], ["export", path, "--manifold", str(tmp_path / "picture.png")])
    for words in commands:
        assert main(words) == 2
        assert path in capsys.readouterr().err
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".npz", ".npy", ".json"])
def test_every_file_of_a_run_folder(suffix: str, tmp_path: Path, mark: Path) -> None:
    dataset = write_idx_folder(tmp_path / "data", train=20)
    settings = updated(Settings(), hidden=(4,), batch_size=10, threads=1, device="cpu")
    folder = tmp_path / "run"
    for name in sorted(["manifest.json", "weights", "training", "metrics"]):
        trainer = Trainer(dataset, settings)
        run_folders.save(trainer, folder)
        bomb = write_bomb(tmp_path / f"bomb{suffix}", mark).read_bytes()
        for path in folder.glob(f"*{name}*"):
            path.write_bytes(bomb)
        sign_again(folder)
        with pytest.raises(UserError, match=name):
            load_run(folder)
    assert not mark.exists()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", ["", ".pt", ".npz", ".npy"])
def test_every_file_of_a_data_set(kind: str, suffix: str, tmp_path: Path, mark: Path) -> None:
    folder = tmp_path / "data"
    write_idx_folder(folder, train=20)
    bomb = write_bomb(tmp_path / f"bomb{kind}", mark).read_bytes()
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.unlink()
        path.with_name(path.name + suffix).write_bytes(bomb)
        with pytest.raises(UserError, match=path.name):
            load_dataset("folder", folder)
        path.with_name(path.name + suffix).unlink()
        path.write_bytes(whole)
    assert not mark.exists()


def test_torchvisions_processed_folder_is_not_looked_at(tmp_path: Path, mark: Path) -> None:
    for name in ("training.pt", "test.pt"):
        (tmp_path / "MNIST" / "processed").mkdir(parents=True, exist_ok=True)
        write_bomb(tmp_path / "MNIST" / "processed" / name, mark)
    with pytest.raises(UserError):
        load_dataset("mnist", tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize("key", ["cifar-10", "folder"])
def test_cifars_pickled_version_is_not_read(tmp_path: Path, mark: Path, key: str) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        write_bomb(tmp_path / "cifar-10-batches-py" / name, mark)
    with pytest.raises(UserError):
        load_dataset(key, tmp_path)
    assert not mark.exists()


def test_settings(tmp_path: Path, mark: Path) -> None:
    with pytest.raises(UserError):
        parse_settings({"model": Bomb(mark)})
    path = write_bomb(tmp_path / "settings.json", mark)
    for words in (["--preset", str(path)], ["--data", str(path)], ["--hidden", str(path)]):
        assert main(["train", "--out", str(tmp_path / "out"), *words]) == 2
    assert not mark.exists()


WAYS = (
    "@Variant(",
    r"\x40V\141riant(",
    "@Va\\qri\\\nant(",
    '1, "@"Variant(',
    r'"@\x56"ariant(',
    "@DateTime(",
    '@"Date"Time(',
)


@pytest.mark.parametrize("start", WAYS)
def test_the_windows_own_settings(start: str, tmp_path: Path, mark: Path) -> None:
    """PySide reads objects in binary values with pickle, and such a value can be written in many ways."""
    made, name = pickle.dumps(Bomb(mark)), b"PySide::PyObjectWrapper\0"
    # The kind of a value that is not Qt's own: as Qt 4 wrote it, and as Qt 5 and later do, with a flag for null.
    kind = b"\0\1\0\0\0" if "Time" in start else b"\0\0\0\x7f"
    binary = kind + struct.pack(">i", len(name)) + name + struct.pack(">i", len(made)) + made
    value = start + "".join(f"\\x{byte:x}" for byte in binary) + ")"
    for file in ("ours.ini", "plain.ini"):
        (tmp_path / file).write_text(f"[window]\nstate={value}\n")
    assert open_settings(tmp_path / "ours.ini").value("window/state") is None
    assert not mark.exists()
    QSettings(str(tmp_path / "plain.ini"), QSettings.Format.IniFormat).value("window/state")
    assert mark.exists(), "it is live"


def test_names_that_look_like_binary_values_are_remembered(tmp_path: Path) -> None:
    """A folder may be called so; QSettings marks a text that begins like a binary value."""
    for name in ("/runs/Variant(2)", "Variant(", '["/a/Variant(1)"]'):
        written = open_settings(tmp_path / "settings.ini")
        written.setValue("data/place", name)
        written.sync()
        assert open_settings(tmp_path / "settings.ini").value("data/place") == name
