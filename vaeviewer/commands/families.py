"""``vaeviewer families``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from vaeviewer.backend.config import presets
from vaeviewer.backend.models import registry
from vaeviewer.commands.speech import say


def families(options: argparse.Namespace) -> int:
    """``vaeviewer families``; returns the exit code."""
    found = [_described(key) for key in registry.families()]
    if options.json:
        say(json.dumps(found, ensure_ascii=False))
        return 0
    for family in found:
        say(f"{family['key']}: {family['title']} ({family['source']})")
        say(f"  {family['sentence']}")
        metrics = ", ".join(f"{metric['title']} ({metric['unit']})" for metric in family["metrics"])
        say(f"  measured: {metrics}; presets: {', '.join(family['presets'])}")
    return 0


def _described(key: str) -> dict[str, Any]:
    family = registry.family(key)
    return {
        "key": key,
        "title": family.title,
        "sentence": family.sentence,
        "source": family.source,
        "metrics": [
            {"key": m.key, "title": m.title, "unit": m.unit, "better": m.better, "stored": m.of is None}
            for m in family.metrics
        ],
        "capabilities": asdict(family.capabilities),
        "presets": list(presets(key)),
    }
