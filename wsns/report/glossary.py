"""What the page's columns and method names mean: one definition each, shown where a word first stands."""

from wsns.evaluation.subgroups import MEASURES
from wsns.report import html

MEANINGS = {
    "1-, 2-, 3-GAP": "networks with one, two or three global-average-pooling (GAP) heads, at as many depths of the "
    "trunk; they learn from slice labels alone, “nodule” or “no nodule”",
    "NAM": "nodule activation map: how much each place of the slice speaks for “nodule”; only inside its strongest "
    "blob, the scope, a nodule is sought",
    "coarse": "the union of all candidates in the scope, without screening",
    "fine": "the candidate whose removal changes the map most (R-NAM screening, Eq. 4)",
    "U-Net": "the baseline with full supervision: it learns from the readers’ outlines",
    "TPR": "true positive rate: of the slices with one nodule, the share that is declared a nodule slice and whose "
    "result overlaps the nodule in at least one pixel",
    "FPR": "false positive rate: of the slices without a nodule, the share that is declared a nodule slice; one for "
    "all rows of 1-, 2- and 3-GAP, as the 1-GAP network decides",
    "FPR_nodule": "of the slices with one nodule, the share that is declared a nodule slice and whose result misses "
    "the nodule; TPR and FPR_nodule together are the share that is declared one",
    "Dice": "2 |A ∩ B| / (|A| + |B|) of result A and consensus B, mean over all slices with one nodule; a miss counts "
    "as 0",
    "TP Dice": "the same over the true positives alone: how good the outline is where there is one",
    "TP DOA": "difference of areas, | |A| − |B| | in mm², over the true positives",
    "consensus": "the reference outline, made of the readers’ own",
    "Accuracy": "share of slices that the network puts on the right side of the threshold",
    "AUC": "area under the ROC curve: how often a slice with a nodule scores higher than one without; 0.5 is chance",
    "Average precision": "mean, over recall, of the share of true nodule slices among those that score highest; "
    "chance gives the share of slices that have a nodule",
    "Sensitivity at specificity 0.9": "the share of nodule slices found at the threshold that spares nine in ten of "
    "the others",
    "Brier score": "mean squared difference of score and label; 0 is perfect, 0.25 is what “a half” always gives",
    "Calibration error": "how far scores lie from the share of nodules among slices of that score, on average",
    "FROC": "free-response ROC: the share of nodules found against the false marks per scan, over all thresholds",
    "mark": "a connected result over neighbouring slices; it is false where it touches no nodule",
    **dict(measure.term for measure in MEASURES.values() if measure.term),
}


def explain(*names: str) -> str:
    """Returns the definitions of some of `MEANINGS`, folded open under their table."""
    return html.glossary({name: MEANINGS[name] for name in names})
