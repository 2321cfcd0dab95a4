"""How well a simple classifier tells synthetic crops from real ones, in scans that it has not seen.

The classifier is a logistic regression on the features and their squares. For each pair of a real and a synthetic
scan (or of groups of them, where there are many) it is fitted to the other scans and tells the crops of the two apart.
Where real scans differ more from each other than from the twin, it may learn nothing that holds for the next one. So it
is also fitted to half of every scan's slices, and tries the other half. That also recognises single scans, whatever
their kind: how much so is seen where the twin is told from itself.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from wsns.errors import InputError
from wsns.evaluation.bootstrap import Estimate, estimate, patient_weights
from wsns.evaluation.metrics import pair_wins
from wsns.studies.twin_realism.classifier import fit

GROUPS = 8
"""Of the scans of either kind, at most, that are held out in turn."""
SPLITS = 10
"""Of the synthetic scans in two, to tell them from each other."""


@dataclasses.dataclass(frozen=True, eq=False)
class Crops:
    """The crops of one scan: `features` (N, F), those of either half of its slices, which `second` (N,) bool tells."""

    features: np.ndarray
    second: np.ndarray


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature by itself: how often it is higher in a real crop than in a synthetic one, and both medians."""

    name: str
    auc: Estimate
    real: float
    synthetic: float


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How well crops are told apart, as the share of pairs of a real and a synthetic crop that are ranked right.

    `auc`: in scans that the classifier has not seen, 0.5 where it can't tell; `scans`: the same for each real scan;
    `known`: in other slices of the scans that it has seen; `itself`: the same where some of the synthetic scans stand
    for the real ones; `features`: by one feature alone, the most telling first.
    """

    auc: Estimate
    scans: tuple[float, ...]
    known: Estimate
    itself: float
    features: tuple[Feature, ...]


def tell_apart(
    real: Sequence[Crops], synthetic: Sequence[Crops], names: Sequence[str], *, draws: int, seed: int
) -> Verdict:
    """Tells the crops of real scans from those of synthetic ones.

    Args:
        real: the crops of each scan; both halves of it have some.
        synthetic: likewise.
        names: of the features, (F,).
        draws: of scans, real and synthetic apart, behind the intervals.
        seed: of the draws.

    Raises:
        InputError: if there are fewer than two scans of either kind.
    """
    if min(len(real), len(synthetic)) < 2:
        raise InputError(
            f"{len(real)} real and {len(synthetic)} synthetic scans: to tell crops apart takes two of each at least, "
            "one to learn from and one to try"
        )
    ours, theirs = [scan.features for scan in real], [scan.features for scan in synthetic]
    weights = _weights((len(real), len(synthetic)), draws, seed)
    fewer = min(len(real), len(synthetic))
    features = [
        Feature(
            name,
            estimate(
                _drawn(_pairs([scan[:, n] for scan in ours], [scan[:, n] for scan in theirs]), *weights),
                fewer,
            ),
            float(np.median(np.concatenate(ours)[:, n])),
            float(np.median(np.concatenate(theirs)[:, n])),
        )
        for n, name in enumerate(names)
    ]
    by_scan = _of_unknown(ours, theirs)
    return Verdict(
        auc=estimate(_drawn(by_scan, *weights), fewer),
        scans=tuple(map(float, by_scan.mean(axis=1))),
        known=estimate(_drawn(_of_known(real, synthetic), *weights), fewer),
        itself=_of_itself(synthetic, min(len(real), len(synthetic) // 2), seed),
        features=tuple(sorted(features, key=lambda feature: -abs(feature.auc.value - 0.5))),
    )


def _of_unknown(real: Sequence[np.ndarray], synthetic: Sequence[np.ndarray]) -> np.ndarray:
    """Returns (real scans, synthetic scans): the AUC of each pair, by a classifier that has seen neither."""
    made = np.empty((len(real), len(synthetic)))
    for rows in _dealt(len(real)):
        for columns in _dealt(len(synthetic)):
            classifier = fit(_without(real, rows), _without(synthetic, columns))
            made[np.ix_(rows, columns)] = _pairs(
                [classifier.score(real[n]) for n in rows], [classifier.score(synthetic[n]) for n in columns]
            )
    return made


def _of_known(real: Sequence[Crops], synthetic: Sequence[Crops]) -> np.ndarray:
    """Returns (real scans, synthetic scans): the AUC of each pair, by classifiers that have seen their other half."""
    made = []
    for tried in (False, True):
        learned = [
            np.concatenate([s.features[s.second != tried] for s in scans]) for scans in (real, synthetic)
        ]
        classifier = fit(*learned)
        scores = [
            [classifier.score(s.features[s.second == tried]) for s in scans] for scans in (real, synthetic)
        ]
        made.append(_pairs(*scores))
    return np.mean(made, axis=0)


def _of_itself(scans: Sequence[Crops], count: int, seed: int) -> float:
    """Returns the mean AUC of `count` scans drawn from the others, each time in scans that are known."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(SPLITS):
        order = rng.permutation(len(scans))
        made.append(_of_known([scans[n] for n in order[:count]], [scans[n] for n in order[count:]]).mean())
    return float(np.mean(made))


def _dealt(number: int) -> list[np.ndarray]:
    groups = min(number, GROUPS)
    return [np.arange(first, number, groups) for first in range(groups)]


def _without(scans: Sequence[np.ndarray], out: np.ndarray) -> np.ndarray:
    return np.concatenate([scan for n, scan in enumerate(scans) if n not in out])


def _pairs(real: Sequence[np.ndarray], synthetic: Sequence[np.ndarray]) -> np.ndarray:
    """Returns (real scans, synthetic scans): how often a score of one exceeds one of the other, ties ½."""
    counts = [[len(scan) for scan in scans] for scans in (real, synthetic)]
    group = np.concatenate([np.repeat(np.arange(len(own)), own) for own in counts])
    label = np.repeat([1, 0], [sum(own) for own in counts])
    wins = pair_wins(np.concatenate([*real, *synthetic]), label, group, max(map(len, counts)))
    return wins[: len(real), : len(synthetic)] / np.outer(counts[0], counts[1])


def _weights(shape: tuple[int, ...], draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    of_real, of_synthetic = np.random.default_rng(seed).integers(2**31, size=2)
    return (
        patient_weights(shape[0], draws=draws, seed=int(of_real)),
        patient_weights(shape[1], draws=draws, seed=int(of_synthetic)),
    )


def _drawn(by_pair: np.ndarray, real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Returns (1 + draws,): the mean over pairs of scans, by how often each draw took them."""
    return np.einsum("dr,rs,ds->d", real, by_pair, synthetic) / (real.sum(axis=1) * synthetic.sum(axis=1))
