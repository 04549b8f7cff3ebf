"""The command line: what each word means, and exit codes (0, 2 for what the user can mend, 130 after Ctrl-C)."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from vaeviewer import __version__
from vaeviewer.errors import UserError
from vaeviewer.limits import MAX_COUNT_ARGUMENT

USER_ERROR = 2
INTERRUPTED = 130
NO_MEMORY = "there is not enough memory; close other programs, or choose fewer --hidden units or less data."
MOST_DIGITS = 10
"""Of a whole number on the command line: Python refuses thousands."""
MOST_LETTERS = 500
"""Of a refusal, which repeats what was typed."""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose refusals are one line."""

    def error(self, message: str) -> NoReturn:
        if len(message) > MOST_LETTERS:
            message = f"{message[:MOST_LETTERS]}…"
        self.exit(USER_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _set_up_streams()
    commands = {
        "train": _train,
        "evaluate": _evaluate,
        "export": _export,
        "inspect": _inspect,
        "families": _families,
        "bench": _bench,
    }
    try:
        if words and words[0] in commands:
            return commands[words[0]](words[1:])
        return _window(words)
    except UserError as error:
        from vaeviewer.commands.speech import complain

        complain(f"vaeviewer: {error}")
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        from vaeviewer.backend.training.failure import Kind, describe_failure

        if describe_failure(error).kind is not Kind.MEMORY:
            raise
    # The exception is gone, and with it the memory that its frames held.
    print(f"vaeviewer: {NO_MEMORY}", file=sys.stderr)
    return USER_ERROR


def _set_up_streams() -> None:
    """Let everybody write: also where a stream was closed, and what its encoding lacks, such as ×, as an escape."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # until the end
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _window(words: list[str]) -> int:
    parser = _Parser(
        prog="vaeviewer",
        description="Explore latent spaces: train a model and drag through what it learns.",
        epilog="Without a window: vaeviewer train | inspect | evaluate | export | families | bench, each with --help.",
    )
    parser.add_argument(
        "path",
        nargs="?",
        type=_path,
        metavar="PATH",
        help="a saved run to open, or your own images to look at: a folder of pictures, a NumPy file, idx files",
    )
    parser.add_argument("--version", action="version", version=f"vaeviewer {__version__}")
    parser.add_argument(
        "--data",
        type=_path,
        metavar="PATH",
        help="images to begin with: those of the saved run, if they moved",
    )
    parser.add_argument(
        "--scheme", choices=("light", "dark"), help="hold one colour scheme, whatever the system says"
    )
    parser.add_argument(
        "--screenshot",
        type=_path,
        metavar="FILE.png",
        help="save a picture of the window, off-screen, and leave: of RUN as it is, or of a model trained first",
    )
    parser.add_argument(
        "--epochs", type=_positive, metavar="N", help="epochs to train for --screenshot without RUN (5)"
    )
    parser.add_argument("--size", type=_size, metavar="WxH", help="size of the window, such as 1280x800")
    options = parser.parse_args(words)

    # Nothing is open yet, and an exception in the middle of an import would come out as another one.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from vaeviewer import display, failed_start

    problem = display.missing_for_qt() or (None if options.screenshot else display.missing_for_window())
    if problem:
        raise UserError(problem)
    gc.disable()  # there is none in what imports make; from then on the window collects (ui/window/garbage.py)
    try:
        from vaeviewer import app  # Qt is for the window alone

        return app.run(options)
    except UserError:
        raise
    except Exception as error:  # whatever it is, there is no window that could show it
        return failed_start.tell(error)


def _train(words: list[str]) -> int:
    from vaeviewer.backend.data import CATALOG
    from vaeviewer.commands import flags, reading_flags, train

    keys = [entry.key for entry in CATALOG if entry.key != "folder"]
    parser = _Parser(prog="vaeviewer train", description="Train without a window and leave a run folder.")
    parser.add_argument("--out", type=_path, metavar="RUN", help="folder to write; new or empty")
    parser.add_argument(
        "--resume",
        type=_path,
        metavar="RUN",
        help="go on with a saved run to its planned epochs, or to --epochs",
    )
    parser.add_argument(
        "--stop-after",
        type=_positive,
        metavar="N",
        help="stop after N epochs from here, as Ctrl-C would; --resume goes on from there",
    )
    parser.add_argument(
        "--save-every",
        type=_seconds,
        metavar="S",
        help="seconds between saves while it trains, at least (10)",
    )
    flags.add_settings(parser)
    parser.add_argument(
        "--dataset", metavar="NAME", help=f"{', '.join(keys)}: the first is bundled, others are fetched once"
    )
    parser.add_argument(
        "--data",
        type=_path,
        metavar="PATH",
        help="your own images: a folder of pictures, a NumPy file, idx files; or where the data set's files are",
    )
    reading_flags.add_reading(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return train.train(parser.parse_args(words))


def _inspect(words: list[str]) -> int:
    from vaeviewer.commands import inspect, reading_flags

    parser = _Parser(
        prog="vaeviewer inspect",
        description="What is in a folder of pictures, a NumPy file or idx files: how many images can be used and how "
        "many of them are held out, their size, classes, what was skipped and why.",
    )
    parser.add_argument("path", type=_path, metavar="PATH", help="a folder or a file")
    reading_flags.add_reading(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return inspect.inspect(parser.parse_args(words))


def _evaluate(words: list[str]) -> int:
    from vaeviewer.commands import evaluate

    parser = _Parser(prog="vaeviewer evaluate", description="Held-out figures of a saved run.")
    parser.add_argument("run", type=_path, metavar="RUN", help="a run folder")
    parser.add_argument("--data", type=_path, metavar="DIR", help="a folder that holds the run's data")
    parser.add_argument(
        "--exact",
        action="store_true",
        help="log p(x) by quadrature with one or two latent dimensions, by importance weighting with more",
    )
    parser.add_argument(
        "--annealed", action="store_true", help="with --exact: annealed importance sampling, too; takes long"
    )
    parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N held-out images")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    options = parser.parse_args(words)
    if options.annealed and not options.exact:
        parser.error("--annealed goes with --exact")
    return evaluate.evaluate(options)


def _export(words: list[str]) -> int:
    from vaeviewer.commands import export

    parser = _Parser(prog="vaeviewer export", description="Write pictures of a saved run.")
    parser.add_argument("run", type=_path, metavar="RUN", help="a run folder")
    parser.add_argument(
        "--manifold", type=_path, required=True, metavar="FILE.png", help="the learned manifold as a grid"
    )
    parser.add_argument("--size", type=_positive, default=20, metavar="N", help="images along each side (20)")
    parser.add_argument(
        "--spacing",
        choices=("equal", "gaussian"),
        default="equal",
        help="equally spaced over -3 to 3, or through the inverse Gaussian CDF",
    )
    parser.add_argument(
        "--axes",
        type=_axes,
        metavar="I,J",
        help="the two latent dimensions that span the plane, counted from 1 (1,2); all others are 0",
    )
    parser.add_argument(
        "--class",
        dest="y",
        metavar="NAME",
        help="the class of all images, of models that see it (the first)",
    )
    return export.export(parser.parse_args(words))


def _families(words: list[str]) -> int:
    from vaeviewer.commands import families

    parser = _Parser(prog="vaeviewer families", description="The kinds of model there are.")
    parser.add_argument("--json", action="store_true", help="print one JSON list on standard output")
    return families.families(parser.parse_args(words))


def _bench(words: list[str]) -> int:
    parser = _Parser(
        prog="vaeviewer bench",
        description="Measure training, the window, a drag, memory and more on this machine, with the real window "
        "(off-screen without a display) and the bundled digits. Takes about ten minutes.",
    )
    parser.add_argument("--quick", action="store_true", help="a short form of everything, within a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    options = parser.parse_args(words)

    from vaeviewer import display

    problem = display.missing_for_qt()
    if problem:
        raise UserError(problem)
    from vaeviewer.bench import run

    return run.run(quick=options.quick, as_json=options.json)


def _positive(text: str) -> int:
    value = int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else 0
    if not 1 <= value <= MAX_COUNT_ARGUMENT:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 1 to {MAX_COUNT_ARGUMENT}, but is {text!r}"
        )
    return value


def _path(text: str) -> Path:
    # Path("") is the folder one is in, which nobody means who passes a variable that is not set.
    if not text:
        raise argparse.ArgumentTypeError("must be the name of a file or folder, but is empty")
    return Path(text)


def _axes(text: str) -> tuple[int, int]:
    first, _, second = text.partition(",")
    return _positive(first.strip()), _positive(second.strip())


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= MAX_COUNT_ARGUMENT:
        raise argparse.ArgumentTypeError(
            f"must be a number from 0.1 to {MAX_COUNT_ARGUMENT}, but is {text!r}"
        )
    return value


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()) or len(text) > 2 * MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT such as 1280x800, but is {text!r}")
    if not (640 <= int(width) <= 7680 and 400 <= int(height) <= 4320):
        raise argparse.ArgumentTypeError(f"must lie between 640x400 and 7680x4320, but is {text!r}")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
