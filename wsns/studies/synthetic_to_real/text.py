"""How networks that learned from synthetic scans do on real ones, in tables for terminal, Markdown and report."""

from collections.abc import Sequence

from wsns.evaluation.bootstrap import FEWEST, TOO_FEW
from wsns.evaluation.localisation import NEAR_MM
from wsns.evaluation.table1_text import FEW_PATIENTS, interval, number
from wsns.evaluation.tables import Cell, Part, Table, count
from wsns.studies.synthetic_to_real.measure import LUNG_AREA, REAL, SIZES, THRESHOLD, TWIN, Line, is_trained

MANY_SCANS = 12


def tables(lines: Sequence[Line]) -> list[Table]:
    """Returns all tables: every method, then the trained ones by size of nodule, by scan, and by seed."""
    trained = [line for line in lines if is_trained(line.method)]
    found = [_all(lines), _by_size(trained), _by_scan(lines), _by_seed(trained)]
    return [table for table in found if table.rows]


def remarks(lines: Sequence[Line], start: str) -> list[str]:
    """Returns what a reader must know.

    Args:
        lines: of all methods.
        start: what training started from, in words.
    """
    real = next(line for line in lines if line.where == REAL and line.group == "all")
    seeds = max(len(line.seeds) for line in lines)
    said = [
        "The networks were trained on synthetic scans only (the LIDC twin), none of them made from a scan under "
        f"test; training started from: {start}. Nothing was trained on the real scans.",
        f"AUC and accuracy (at {THRESHOLD:g}): slices with a nodule from those without. FPR: the share of slices "
        f"without a nodule whose probability is at least {THRESHOLD:g}. Hit: in a slice with a "
        f"nodule the map's highest pixel in the lungs' closed hull lies within {NEAR_MM:g} mm of one. Chance: the "
        "share of the hull within that distance. Nodules hit: those that are hit in their largest slice.",
        "“start” is the network before any training on slices, “random” one of random numbers; lung area: the AUC of "
        "the lungs' area in the slice, larger for a nodule, without any network.",
        f"{_figures_of(seeds)} Intervals: 95 %, bootstrap of two stages, patients and within a patient its nodules "
        "and its slices without one, with the same draws for all methods and seeds; none where fewer than "
        f"{FEWEST} patients stand behind a figure: {TOO_FEW}.",
    ]
    if real.patients < FEW_PATIENTS:
        said.append(
            f"{count(real.patients, 'real patient')} with {count(real.nodules, 'nodule')} "
            f"{'is' if real.patients == 1 else 'are'} few: these figures can mislead by far more than the seeds differ."
        )
    return said


def parts(lines: Sequence[Line], *, source: str, start: str) -> list[Part]:
    """Returns the tables and the remarks.

    Args:
        lines: of all methods.
        source: the real scans in words.
        start: what training started from, in words.
    """
    title = f"Trained on the LIDC twin (synthetic), tried on {source}"
    return [title, *tables(lines), *remarks(lines, start)]


def _all(lines: Sequence[Line]) -> Table:
    methods = sorted(dict.fromkeys(line.method for line in lines), key=lambda method: not is_trained(method))
    found = [
        [
            line.method,
            line.where,
            f"{line.positives} + {line.negatives}",
            *_cells(line, "auc", "±auc", "accuracy", "fpr", "hit", "±hit", "chance", "nodule_hit"),
        ]
        for line in sorted(lines, key=lambda line: methods.index(line.method))
        if line.group == "all"
    ]
    heads = (
        "method",
        "slices",
        "with + without",
        "AUC",
        "±",
        "accuracy",
        "FPR",
        "hit",
        "±",
        "chance",
        "nodules hit",
    )
    title = (
        "Real scans, and the twin's validation split: mean over the seeds (95 %), ± their standard deviation"
    )
    return Table(heads, found, title)


def _by_size(trained: Sequence[Line]) -> Table:
    known = {(line.method, line.group): line for line in trained if line.where == TWIN}
    found = []
    for line in trained:
        if line.where == REAL and line.group in SIZES:
            twin = known.get((line.method, line.group))
            beside = [str(twin.positives), *_cells(twin, "auc", "hit")] if twin else ["0", "–", "–"]
            own = _cells(line, "auc", "fpr", "hit", "chance", "nodule_hit")
            found.append([line.method, line.group, str(line.nodules), str(line.positives), *own, *beside])
    heads = (
        *("method", "nodule's radius", "nodules", "slices", "AUC", "FPR", "hit", "chance", "nodules hit"),
        *("twin: slices", "AUC", "hit"),
    )
    return Table(
        heads, found, "By the nodule's radius in its largest slice (AUC against all slices without one)"
    )


def _by_scan(lines: Sequence[Line]) -> Table:
    scans = [line for line in lines if line.where == REAL and line.group not in ("all", *SIZES)]
    area = {line.group: line for line in scans if line.method == LUNG_AREA}
    found = [
        [
            line.method,
            line.group,
            str(line.nodules),
            f"{line.positives} + {line.negatives}",
            *_cells(line, "auc"),
            *_cells(area[line.group], "auc"),
            *_cells(line, "accuracy", "fpr", "hit", "chance", "nodule_hit"),
        ]
        for line in scans
        if is_trained(line.method) and len(area) <= MANY_SCANS
    ]
    heads = (
        "method",
        "scan",
        "nodules",
        "with + without",
        "AUC",
        "by lung area",
        "accuracy",
        "FPR",
        "hit",
        "chance",
        "nodules hit",
    )
    return Table(heads, found, "By scan, mean over the seeds")


def _by_seed(trained: Sequence[Line]) -> Table:
    every = {(line.where, line.method): line for line in trained if line.group == "all"}
    found = []
    for (where, method), line in every.items():
        if where == REAL:
            for n, seed in enumerate(line.seeds):
                twin = every[TWIN, method].figures
                values = [
                    twin["auc"],
                    twin["hit"],
                    *(line.figures[name] for name in ("auc", "fpr", "hit", "nodule_hit")),
                ]
                found.append([method, str(seed), *(number(figure.seeds[n], 2) for figure in values)])
    heads = ("method", "seed", "twin: AUC", "hit", "real: AUC", "FPR", "hit", "nodules hit")
    return Table(heads, found, "Each seed")


def _cells(line: Line, *names: str) -> list[Cell]:
    """Returns figures with their intervals, or with ± how far seeds differ."""
    cells: list[Cell] = []
    for name in names:
        figure = line.figures.get(name.removeprefix("±"))
        if figure is None:
            cells.append("")
        elif name.startswith("±"):
            cells.append(number(figure.deviation, 2))
        else:
            span = interval(figure.mean, 2) if name in ("auc", "hit", "nodule_hit") else ""
            cells.append((number(figure.mean.value, 2), span))
    return cells


def _figures_of(seeds: int) -> str:
    if seeds == 1:
        return "One training: how much another seed would change is not known."
    return f"Means over {seeds} trainings that differ in their seed."
