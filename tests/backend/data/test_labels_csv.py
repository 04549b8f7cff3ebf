"""``labels.csv`` with more than a file and a label: numbers and words for each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vaeviewer.backend.data import Reading
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.columns import NO_VALUE, column_of
from vaeviewer.backend.data.opening import open_images
from vaeviewer.limits import MAX_COLUMN_WORDS, MAX_COLUMNS


def pictures(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        levels = np.random.default_rng(number).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(levels).save(folder / name)


def said(data: ImageDataset) -> dict[str, list[object]]:
    """By file, what its columns say of it."""
    return {
        file: [
            column.words[column.values[row]] if column.words else column.values[row]
            for column in data.columns
        ]
        for row, file in enumerate(data.train_files)
    }


@pytest.mark.parametrize("opening", ["first", "from the cache"])
def test_columns_follow_their_images(tmp_path: Path, opening: str) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(6)))
    (tmp_path / "labels.csv").write_text(
        "file,label,Age,site\n"
        "5.png,b,50.5,Rome\n0.png,a,1,Oslo\n1.png,a,,\n2.png,b,-2e3,Oslo\n3.png,a,3,Rome\n4.png,a,4,Oslo\n",
        "utf-8",
    )
    data = open_images(tmp_path, Reading(held_out=0.2))
    if opening == "from the cache":
        data = open_images(tmp_path, Reading(held_out=0.2))
    assert data.class_names == ("a", "b")
    assert [column.name for column in data.columns] == ["Age", "site"]
    expected = {
        "0.png": [1, "Oslo"],
        "1.png": [np.nan, NO_VALUE],
        "2.png": [-2000, "Oslo"],
        "3.png": [3, "Rome"],
        "4.png": [4, "Oslo"],
        "5.png": [50.5, "Rome"],
    }
    found = said(data)
    assert len(found) == 6 - len(data.held_out_files)
    for file, values in found.items():
        assert str(values) == str([np.float32(expected[file][0]), expected[file][1]])


def test_a_table_without_labels_leaves_the_classes_to_the_folders(tmp_path: Path) -> None:
    pictures(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png")
    (tmp_path / "labels.csv").write_text("file;weight;colour\ncat/1.png;3;red\ndog/1.png;9;red\n", "utf-8")
    data = open_images(tmp_path, Reading(held_out=0.0))
    assert data.class_names == ("cat", "dog")
    assert said(data)["dog/1.png"] == [9.0, "red"]
    assert said(data)["cat/2.png"][1] == NO_VALUE


@pytest.mark.parametrize("head", ["file,species\n", "species,file\n"])
def test_a_single_column_beside_the_file_is_the_label_whatever_it_is_called(
    tmp_path: Path, head: str
) -> None:
    pictures(tmp_path, "1.png", "2.png")
    lines = ["1.png,cat", "2.png,dog"]
    if head.startswith("species"):
        lines = [",".join(reversed(line.split(","))) for line in lines]
    (tmp_path / "labels.csv").write_text(head + "\n".join(lines), "utf-8")
    data = open_images(tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.report is not None
    assert not any("not there" in note for note in data.report.notes), "the first line is no file"


def test_a_line_that_ends_early_leaves_its_own_file_without_a_label(tmp_path: Path) -> None:
    pictures(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,cat\n2.png\n3.png,dog\n", "utf-8")
    data = open_images(tmp_path, Reading(held_out=0.0))
    found = {
        file: data.class_names[label] for file, label in zip(data.train_files, data.train_labels, strict=True)
    }
    assert found == {"1.png": "cat", "2.png": "(no label)", "3.png": "dog"}
    (tmp_path / "labels.csv").write_text("cat\ndog\n", "utf-8")
    report = open_images(tmp_path).report
    assert report is not None
    assert "no line with a file and a label" in report.skipped[0].why


def test_a_file_in_several_lines_is_named(tmp_path: Path) -> None:
    pictures(tmp_path, "1.png", "2.png")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,cat\n2.png,dog\n./1.png,dog\n", "utf-8")
    data = open_images(tmp_path)
    assert data.class_names == ("dog",)
    assert data.report is not None
    assert any("1.png" in note and "several lines" in note for note in data.report.notes)


def test_a_quotation_mark_that_is_never_closed_swallows_no_lines(tmp_path: Path) -> None:
    pictures(tmp_path, "1.png", "2.png")
    (tmp_path / "labels.csv").write_text('file,label\n1.png,"cat\n2.png,dog\n', "utf-8")
    data = open_images(tmp_path)
    assert data.class_names == ()
    assert data.report is not None
    assert [skipped.file for skipped in data.report.skipped] == ["labels.csv"]


@pytest.mark.parametrize("mark", ["\n", "\u2028", "\x1c", "\x85"])
def test_a_label_may_hold_what_else_ends_lines(tmp_path: Path, mark: str) -> None:
    pictures(tmp_path, "1.png", "2.png")
    text = f'file,label\r\n1.png,"red{mark}fox"\r\n2.png,dog\r\n'
    (tmp_path / "labels.csv").write_bytes(text.encode())
    data = open_images(tmp_path)
    assert data.report is not None
    assert not data.report.skipped
    assert len(data.class_names) == 2
    assert "redfox" not in data.class_names


def test_columns_that_nothing_can_be_coloured_by_are_left_out_and_named(tmp_path: Path) -> None:
    pictures(tmp_path, "1.png", "2.png")
    extra = [f"c{n}" for n in range(MAX_COLUMNS + 1)]
    rows = [["file", "label", "empty", *extra], *([f"{n}.png", "a", " ", *extra] for n in (1, 2))]
    (tmp_path / "labels.csv").write_text("\n".join(map(",".join, rows)), "utf-8")
    data = open_images(tmp_path)
    assert [column.name for column in data.columns] == extra[: MAX_COLUMNS - 1]
    assert data.report is not None
    assert any("empty, c31, c32." in note for note in data.report.notes)
    assert column_of("remark", [f"word {n}" for n in range(MAX_COLUMN_WORDS + 1)]) is None
    assert column_of("nothing", ["nan", "inf", ""]) is None


@given(st.lists(st.text(max_size=8), min_size=1, max_size=30))
def test_any_cells_make_a_column_that_says_the_same(cells: list[str]) -> None:
    column = column_of("x", cells)
    if column is None:
        return
    assert len(column.values) == len(cells)
    for cell, value in zip(cells, column.values, strict=True):
        if column.words:
            assert column.words[value] == (cell.strip() or NO_VALUE)
        elif cell.strip():
            assert np.isnan(value) or float(cell) == pytest.approx(float(value), rel=1e-6, abs=1e-40)
