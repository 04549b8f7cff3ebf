"""The README's figures of a kind of model: ``python tests/relatives KEY --data DIR [--json]``.

KEY is a family's; the file of that name here measures it, on MNIST in DIR, else on the bundled digits.
It has a function ``measure(data: str) -> dict[str, Figure]``. Ends with 1 where a figure misses its bar.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from figures import Figure  # this folder is where Python looks first

HERE = Path(__file__).parent
NOT_KINDS = ("__main__", "figures", "judge")


def main() -> int:
    """Measure one kind of model; returns the exit code."""
    kinds = sorted(file.stem.replace("_", "-") for file in HERE.glob("*.py") if file.stem not in NOT_KINDS)
    parser = argparse.ArgumentParser(prog="python tests/relatives", description=__doc__)
    parser.add_argument("key", choices=kinds, help="the kind of model")
    parser.add_argument("--data", default="", help="folder of MNIST's files; the bundled digits without it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    begin = time.perf_counter()
    measure = importlib.import_module(options.key.replace("-", "_")).measure
    found: Mapping[str, Figure] = measure(options.data)
    seconds = time.perf_counter() - begin
    if options.json:
        figures = {name: figure.as_json() for name, figure in found.items()}
        print(json.dumps({"family": options.key, "figures": figures, "seconds": round(seconds, 1)}))
    else:
        for name, figure in found.items():
            print(f"{name}: {figure}")
        print(f"measured in {seconds:.0f} s")
    return 0 if all(figure.holds for figure in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
