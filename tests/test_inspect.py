import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.awkward_pictures import good_forms, scene, write_awkward
from vaeviewer.cli import main

KEYS = ["images", "held_out", "height", "width", "channels", "classes", "skipped", "passed_over", "notes"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Colour pictures of mixed sizes and kinds in three classes, awkward ones, hidden ones; and the awkward names."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(200):
        place = folder / f"class {number % 3}"
        place.mkdir(exist_ok=True)
        height, width = rng.integers(20, 90, 2)
        suffix = ("png", "jpg", "webp", "bmp", "TIF")[number % 5]
        Image.fromarray(scene(height, width)).save(place / f"{number}.{suffix}")
    for name, write in good_forms().items():
        write(folder / "class 0" / name)
    awkward = write_awkward(folder / "class 1")
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "1.png").write_bytes(b"hidden")
    (folder / "class 2" / "Thumbs.db").write_bytes(b"list")
    (folder / "class 3").mkdir()
    return folder, awkward


@pytest.mark.slow
def test_counts_and_reasons_as_json(
    pictures: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, awkward = pictures
    assert main(["inspect", str(folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == KEYS
    count = 200 + len(good_forms())
    assert report["images"] == count
    assert report["held_out"] == round(count / 10)
    assert report["classes"] == {
        "class 0": 67 + len(good_forms()),
        "class 1": 67,
        "class 2": 66,
        "class 3": 0,
    }
    assert (report["height"], report["width"], report["channels"]) == (64, 64, 3)
    assert report["passed_over"] == 2
    found = {entry["file"].removeprefix("class 1/"): entry["why"] for entry in report["skipped"]}
    assert found.keys() == awkward.keys()
    assert all(reason in found[name] for name, reason in awkward.items())
    assert main(["inspect", str(folder), "--size", "24x32", "--channels", "grey", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["height"], report["width"], report["channels"], report["images"]) == (24, 32, 1, count)


@pytest.mark.slow
def test_the_same_in_words(pictures: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(pictures[0]), "--size", "16"]) == 0
    out = capsys.readouterr().out
    assert "images of 16×16 pixels (height × width) in colour, 22 of them held out; 0.2 MiB" in out
    assert "  class 3: 0\n" in out
    assert f"{len(pictures[1])} skipped:\n  class 1/" in out
    assert "more files; --json names all" in out


@pytest.mark.slow
def test_training_takes_the_same_flags_and_a_run_remembers_them(
    pictures: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    small = ["--hidden", "16", "--epochs", "1", "--engine", "eager"]
    assert main(["train", "--out", str(run), "--data", str(pictures[0]), "--size", "12x8", *small]) == 0
    assert "files were skipped; vaeviewer inspect" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data_as_trained"]
    reading = json.loads((run / "manifest.json").read_text("utf-8"))["data"]["source"]["reading"]
    assert (reading["size"], reading["channels"]) == ([12, 8], "colour")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "7"], "--size must be HEIGHTxWIDTH such as 64x48, each from 8 to 256 pixels, but is '7'"),
        (["--size", "8x257"], "--size must be"),
        (["--size", "8x"], "--size must be"),
        (["--channels", "blue"], "--channels must be one of auto, grey, colour, but is 'blue'"),
        (["--background", "white"], "--background must be a colour such as #ffffff"),
        (["--fit", "stretch"], "--fit must be one of crop, pad"),
        (["--levels", "all"], "--levels must be one of type, data"),
        (["--held-out", "1"], "--held-out must be a share from 0 to 0.9, but is '1'"),
        (["--held-out", "nan"], "--held-out must be a share"),
        (["--split-seed", "-1"], "--split-seed must be a whole number from 0 on"),
    ],
)
def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    for command in (
        ["inspect", str(tmp_path)],
        ["train", "--out", str(tmp_path / "r"), "--data", str(tmp_path)],
    ):
        assert main([*command, *words]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_what_cannot_be_opened_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 8, 8), complex))
    for name, said in (
        ("a.npy", "holds complex numbers"),
        ("none", "does not exist"),
        ("", "holds no images"),
    ):
        assert main(["inspect", str(tmp_path / name)]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_the_bundled_digits_are_read_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--out", str(tmp_path / "r"), "--size", "32"]) == 2
    assert "bundled digits are read as they are" in capsys.readouterr().err


def test_one_of_each_is_said_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cats").mkdir()
    Image.fromarray(scene(20, 30)).save(tmp_path / "cats" / "1.png")
    assert main(["inspect", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "1 image of" in said
    assert "1 class:" in said


def test_a_run_saved_among_the_pictures_is_no_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        Image.fromarray(scene(8, 8)).save(tmp_path / f"{number}.png")
    run = tmp_path / "run"
    quick = ["--epochs", "1", "--threads", "1", "--hidden", "4"]
    assert main(["train", "--data", str(tmp_path), "--out", str(run), *quick]) == 0
    assert main(["export", str(run), "--manifold", str(run / "manifold.png")]) == 0
    assert main(["train", "--resume", str(run), "--epochs", "2"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["classes"], report["images"]) == ({}, 3)


@pytest.mark.slow
def test_a_run_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["train", "--out", str(run), "--epochs", "1", "--hidden", "4"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(run)]) == 2
    assert "is a run, not images" in capsys.readouterr().err
