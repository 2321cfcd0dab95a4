"""The report's sections beyond the paper's table: each a few sentences, tables and the figures that belong there."""

from collections.abc import Mapping, Sequence

from wsns import paper
from wsns.evaluation import secondary_table
from wsns.evaluation.bootstrap import FEWEST, TOO_FEW
from wsns.evaluation.cases import FINE
from wsns.evaluation.failure_modes import CAUSES
from wsns.evaluation.froc import RATES
from wsns.evaluation.roc import Curves
from wsns.evaluation.secondary import Secondary, Whole
from wsns.evaluation.subgroups import GROUPS, MEASURES, GroupRow
from wsns.evaluation.table1 import Table
from wsns.evaluation.table1_text import with_interval
from wsns.report import glossary, html

CLASSIFIER = {
    "accuracy": "Accuracy, %",
    "auc": "AUC",
    "average precision": "Average precision",
    "sensitivity at specificity 0.9": "Sensitivity at specificity 0.9",
    "Brier score": "Brier score",
    "calibration error": "Calibration error",
}
MAPS = ("peak_hit", "peak_chance", "existed", "right", "best_dice")
SURFACES = ("hd95_mm", "assd_mm", "surface_dice")
NODULES = ("tpr", "tp_dice", "reader_dice")
"""Which of `MEASURES` are the columns of which table; their titles, decimals and terms are their own."""
BELOW = (
    f"Below a figure its 95 % interval over patients and what is in them; fewer than {FEWEST} patients behind it are "
    f"{TOO_FEW}."
)


def classification(table: Table, found: Secondary) -> str:
    """Returns how the slice classifiers do on the test split."""
    if not table.classifiers:
        return ""
    total = table.classifiers[0].positives + table.classifiers[0].negatives
    rows = [
        (*row, f"{100 * paper.ACCURACY[str(row[0])]:.1f}") for row in _classifiers(table, found.classifiers)
    ]
    caption = f"All {total:,} test slices, at a score of {table.threshold:g}. {BELOW}"
    return html.table(
        caption, ("Model", *CLASSIFIER.values(), "The paper’s accuracy, %"), rows
    ) + glossary.explain(*(name.removesuffix(", %") for name in CLASSIFIER.values()))


def whole_scans(whole: Whole | None) -> str:
    """Returns what whole scans give, or that none was searched."""
    if whole is None:
        return html.paragraph(
            "No scan was searched whole in this run (config.scans.most), so there are no figures at the natural "
            "share of slices with a nodule, and no FROC."
        )
    table, (first, *_) = whole.table, whole.frocs.values()
    share = 100 * table.classifiers[0].positives / max(whole.slices, 1)
    rates = [f"{rate:g}" for rate in RATES]
    return "\n".join(
        [
            html.paragraph(
                f"{whole.slices:,} slices of {first.scans:,} test {'scan' if first.scans == 1 else 'scans'} with "
                f"{first.nodules:,} nodules, {share:.1f} % of them with a nodule. {whole.left_out:,} more were not "
                "read: the lungs don't reach there, or some reader drew there, but not as many as must agree. In each "
                "slice one nodule is sought, as nothing is known beforehand."
                + _unreachable(whole.unreachable)
            ),
            html.table(
                f"Slice classifiers on whole scans, at a score of {table.threshold:g}. {BELOW}",
                ("Model", *CLASSIFIER.values()),
                _classifiers(table, whole.classifiers),
            ),
            html.table(
                f"Fine results on whole scans, slices with one nodule and all without. {BELOW}",
                ("Method", "TPR", "FPR", "Dice", "TP Dice"),
                [
                    (
                        row.method,
                        *(with_interval(getattr(row, name), 2) for name in ("tpr", "fpr", "dice", "tp_dice")),
                    )
                    for row in table.rows
                ],
            ),
            html.table(
                "FROC: share of nodules found at so many false marks per scan. A mark is a connected result over "
                "slices and scores as the best of them, by the score named among the choices; where a curve ends "
                "earlier, its last value stands. " + BELOW,
                ("Method", *rates, "Mean of these"),
                [
                    (method, *(with_interval(value, 2) for value in (*found.sensitivity, found.mean)))
                    for method, found in whole.frocs.items()
                ],
            ),
            glossary.explain("FROC", "mark"),
        ]
    )


def _unreachable(nodules: int) -> str:
    if not nodules:
        return ""
    lie = "nodule lies" if nodules == 1 else "nodules lie"
    return f" Left out: {nodules:,} {lie} wholly outside the crop."


def localisation(found: Secondary) -> str:
    """Returns where the maps look, and whether the right candidate existed and was chosen."""
    rows = _groups(found, "all")
    weak = [rows[method] for method in FINE if method in rows]
    if not weak:
        return ""
    return html.table(
        "Slices with one nodule; the last three columns only where it was searched. " + BELOW,
        ("Method", *_titles(MAPS)),
        [(row.method.split()[0], *_cells(row, MAPS)) for row in weak],
    ) + _terms(MAPS)


def surfaces(found: Secondary) -> str:
    """Returns distances between outlines."""
    rows = _groups(found, "all").values()
    return html.table(
        "True positives among slices with one nodule: without an overlap there is no outline to measure from, so "
        f"misses count in no column. {BELOW}",
        ("Method", *_titles(SURFACES)),
        [(row.method, *_cells(row, SURFACES)) for row in rows],
    ) + _terms(SURFACES)


def groups(table: Table, found: Secondary) -> str:
    """Returns TPR and TP Dice by kind of nodule, for the fine results and the U-Net, each beside the method's FPR."""
    alarms = {row.method: _inline(with_interval(row.fpr, 2)) for row in table.rows}
    shown = [row for row in found.groups if row.method in (*FINE, "U-Net")]
    lines = []
    for row in sorted(shown, key=lambda row: list(GROUPS).index(row.group)):
        tpr, *others = map(_inline, _cells(row, NODULES))
        lines.append((row.group, f"{row.n:,}", row.method, tpr, alarms[row.method], *others))
    title, *titles = _titles(NODULES)
    return html.table(
        "Slices with one nodule; FPR is that of all slices without one, which are of no kind. Texture: the median of "
        "the readers' scores, solid from 4 on. Size: diameter of the disc of the consensus' area in the slice. "
        "Readers: how many drew the nodule there. In brackets the 95 % interval.",
        ("Nodules", "Slices", "Method", title, "FPR", *titles),
        lines,
    ) + _terms(NODULES)


def causes(found: Secondary) -> str:
    """Returns how many slices have each cause of failure, with what the causes mean."""
    methods = [method for method in (*FINE, "U-Net") if method in found.causes]
    if not methods:
        return ""
    table = html.table(
        "Slices with one nodule, by the first thing that went wrong",
        ("Method", *(name.capitalize() for name in CAUSES)),
        [(method, *found.causes[method].values()) for method in methods],
    )
    return table + html.bullets(
        [f"{name.capitalize()}: {meaning}." for name, meaning in CAUSES.items()], style="notes"
    )


def _classifiers(table: Table, found: Mapping[str, Curves]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for model in table.classifiers:
        figures = secondary_table.of_classifier(model, found[model.model])
        figures["accuracy"] = figures["accuracy"].times(100)
        cells = [with_interval(figures[name], 1 if name == "accuracy" else 2) for name in CLASSIFIER]
        rows.append((model.model, *cells))
    return rows


def _groups(found: Secondary, group: str) -> dict[str, GroupRow]:
    return {row.method: row for row in found.groups if row.group == group}


def _titles(names: Sequence[str]) -> list[str]:
    return [MEASURES[name].title for name in names]


def _cells(row: GroupRow, names: Sequence[str]) -> list[tuple[str, str]]:
    return [with_interval(row.figures[name], MEASURES[name].decimals) for name in names]


def _terms(names: Sequence[str]) -> str:
    """Returns the words that these measures bring along, each once."""
    terms = [term for name in names if (term := MEASURES[name].term)]
    return glossary.explain(*dict(terms))


def _inline(cell: tuple[str, str]) -> str:
    value, span = cell
    return f"{value} ({span})" if span else value
