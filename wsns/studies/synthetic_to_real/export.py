"""How networks that learned from synthetic scans do on real ones, as JSON and as CSV."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from wsns.evaluation.table1_text import number
from wsns.studies.synthetic_to_real.measure import LUNG_AREA, REAL, TWIN, Figure, Line, is_trained

COLUMNS = (
    "where", "method", "group", "positives", "negatives", "nodules", "patients", "figure", "value", "low", "high", "sd",
    "seeds",
)  # fmt: skip


def as_json(lines: Sequence[Line]) -> dict[str, Any]:
    """Returns what `transfer.json` holds; None where a figure is not defined.

    On top the figures of one `method` on the real scans, means over the seeds: that of the highest hit rate on the
    twin's validation split, so that no real scan has a say. Below them every method's by group:
    `methods` and `baselines` on the real scans, all on the twin's validation split in `twin`.
    """
    real = {line.method: line for line in lines if line.where == REAL and line.group == "all"}
    method = chosen(lines)
    first = real[method]
    top: dict[str, Any] = {"method": method}
    for name in ("auc", "hit"):
        mean = first.figures[name].mean
        top |= {name: _known(mean.value), f"{name}_low": _known(mean.low), f"{name}_high": _known(mean.high)}
    return top | {
        "hit_chance": _known(first.figures["chance"].mean.value),
        "auc_lung_area": _known(real[LUNG_AREA].figures["auc"].mean.value),
        "slices": first.positives + first.negatives,
        "nodules": first.nodules,
        "seeds": len(first.seeds),
        "methods": _nested(line for line in lines if line.where == REAL and is_trained(line.method)),
        "baselines": _nested(line for line in lines if line.where == REAL and not is_trained(line.method)),
        "twin": _nested(line for line in lines if line.where == TWIN),
    }


def rows(lines: Sequence[Line]) -> Iterator[dict[str, object]]:
    """Yields the rows of `transfer.csv`, one figure each; what is not defined is empty."""
    for line in lines:
        for name, figure in line.figures.items():
            mean = figure.mean
            numbers = (mean.value, mean.low, mean.high, figure.deviation)
            seeds = [number(value, 6) for value in figure.seeds]
            cells = (
                *(line.where, line.method, line.group),
                *(line.positives, line.negatives, line.nodules, line.patients, name),
                *("" if math.isnan(value) else value for value in numbers),
                " ".join(seeds),
            )
            yield dict(zip(COLUMNS, cells, strict=True))


def chosen(lines: Sequence[Line]) -> str:
    """Returns the trained method of the highest hit rate on the twin; of equal ones the first, as without any rate."""
    known = {
        line.method: line.figures["hit"].mean.value
        for line in lines
        if line.where == TWIN and line.group == "all" and is_trained(line.method)
    }
    return max(sorted(known), key=lambda name: known[name] if math.isfinite(known[name]) else -1.0)


def _nested(lines: Iterator[Line]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in lines:
        counts = {name: getattr(line, name) for name in ("positives", "negatives", "nodules", "patients")}
        figures = {name: _figure(figure) for name, figure in line.figures.items()}
        found.setdefault(line.method, {})[line.group] = counts | {"seeds": list(line.seeds)} | figures
    return found


def _figure(figure: Figure) -> dict[str, Any]:
    mean = figure.mean
    return {
        "value": _known(mean.value),
        "low": _known(mean.low),
        "high": _known(mean.high),
        "sd": _known(figure.deviation),
        "seeds": [_known(value) for value in figure.seeds],
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
