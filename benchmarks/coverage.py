"""How often do 95 % intervals hold the truth? Two stages of bootstrap beside patients alone, on simulated patients.

    python benchmarks/coverage.py

A patient has one or more nodules, each in several slices, and as many slices without one; patients, nodules and slices
differ in what they score and whether they are hit. The truth is that of very many patients.
"""

import argparse
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import harness
import numpy as np

from wsns.evaluation.bootstrap import Resampled, count, means, nested_weights, patient_weights, tails
from wsns.evaluation.roc import auc

MANY = 3000
DRAWS = 500
SHIFT = 1.3
"""Of the score of a slice with a nodule; all effects are normal, of the deviations below."""
OF_PATIENT, OF_POSITIVES, OF_NODULE = 0.5, 0.5, 0.7
HIT_OF_PATIENT, HIT_OF_NODULE = 1.0, 1.5
METHODS = ("patients alone", "two stages", "two stages, wider tails")
SHOWN = {"auc": "AUC", "tpr": "TPR", "dice": "Dice", "tp_dice": "TP Dice"}


class Sample(NamedTuple):
    """Slices (N,): whose, with a nodule or without, which nodule or slice, score, hit, Dice."""

    patient: np.ndarray
    label: np.ndarray
    unit: np.ndarray
    score: np.ndarray
    hit: np.ndarray
    dice: np.ndarray


def main() -> None:
    """Parses the command line, simulates, and prints the table."""
    flags = harness.parser(__doc__, "40 samples of each size")
    flags.add_argument("--patients", default="3,4,11", help="sizes of a sample, separated by commas")
    flags.add_argument("--samples", type=int, default=1000, help="of each size")
    given = flags.parse_args()
    if not all(text.isdigit() and int(text) > 1 for text in given.patients.split(",")) or given.samples < 1:
        flags.error("--patients are numbers of at least 2, separated by commas, and --samples at least 1")
    given.samples = 40 if given.quick else given.samples
    harness.finish(given, lambda: measure(given), show)


def measure(flags: argparse.Namespace) -> dict[str, Any]:
    """Returns the coverage and the mean width by number of patients, figure and method."""
    many = simulate(np.random.default_rng(1), MANY)
    truth = {name: float(own.values[0]) for name, own in figures(many, np.ones((1, len(many.label))))}
    sizes = {n: _of_size(n, flags.samples, truth) for n in map(int, flags.patients.split(","))}
    return {"truth": truth, "patients": sizes, "samples": flags.samples, "draws": DRAWS} | harness.machine(
        "numpy"
    )


def simulate(rng: np.random.Generator, patients: int) -> Sample:
    """Returns the slices of so many patients."""
    parts, units = [], 0
    for patient in range(patients):
        own, positives, ease = rng.normal(0, (OF_PATIENT, OF_POSITIVES, HIT_OF_PATIENT))
        lengths = 1 + rng.geometric(0.18, size=1 + rng.poisson(1.5))
        total = int(lengths.sum())
        nodule = np.repeat(np.arange(len(lengths)), lengths)
        effect, easy, fit = rng.normal(
            0, (OF_NODULE, HIT_OF_NODULE, 0.08), size=(len(lengths), 3)
        ).T  # of the nodules
        score = own + SHIFT + positives + effect[nodule] + rng.normal(0, 0.8, total)
        hit = rng.random(total) < 1 / (1 + np.exp(-(ease + easy[nodule])))
        dice = np.where(hit, np.clip(0.75 + fit[nodule] + rng.normal(0, 0.1, total), 0.01, 1), 0)
        rest = np.zeros(total)
        free = own + rng.normal(0, 1, total)
        unit = units + np.append(nodule, len(lengths) + np.arange(total))
        units += len(lengths) + total
        columns = (np.append(score, free), np.append(hit, rest), np.append(dice, rest))
        parts.append((np.full(2 * total, patient), np.repeat([1, 0], total), unit, *columns))
    return Sample(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def figures(sample: Sample, weights: np.ndarray) -> Iterator[tuple[str, Resampled]]:
    """Yields the figures of a sample under each draw."""
    positive = sample.label > 0
    yield "auc", Resampled(auc(sample.score, positive, weights), count(sample.patient, positive))
    for name, values, rows in (
        ("tpr", sample.hit, positive),
        ("dice", sample.dice, positive),
        ("tp_dice", sample.dice, sample.hit > 0),
    ):
        yield name, means(np.where(rows, values, np.nan), sample.patient, weights)


def show(result: Mapping[str, Any]) -> None:
    """Prints what was measured, for people."""
    print(f"\nShare of {result['samples']} samples whose 95 % interval holds the truth (its mean width)\n")
    print(f"{'patients':<10}{'bootstrap':<26}" + "".join(f"{words:<15}" for words in SHOWN.values()))
    for patients, methods in result["patients"].items():
        for method, found in methods.items():
            cells = (f"{found[name]['covers']:.2f} ({found[name]['width']:.2f})" for name in SHOWN)
            print(f"{patients:<10}{method:<26}" + "".join(f"{cell:<15}" for cell in cells))


def _of_size(patients: int, samples: int, truth: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(patients)
    held: dict[tuple[str, str], list[tuple[bool, float]]] = {}
    for seed in range(samples):
        sample = simulate(rng, patients)
        alone = patient_weights(patients, draws=DRAWS, seed=seed)[:, sample.patient]
        two = nested_weights(sample.patient, sample.label, sample.unit, draws=DRAWS, seed=seed)
        of_two = dict(figures(sample, two))
        for name, own in figures(sample, alone):
            for method, values, percents in zip(
                METHODS,
                (own.values, of_two[name].values, of_two[name].values),
                ((2.5, 97.5), (2.5, 97.5), tails(patients)),
                strict=True,
            ):
                drawn = values[1:][np.isfinite(values[1:])]
                # A figure that no draw has, as TP Dice without a true positive, has no interval.
                low, high = np.percentile(drawn, percents) if len(drawn) else (math.nan, math.nan)
                if np.isfinite(low):
                    held.setdefault((method, name), []).append((bool(low <= truth[name] <= high), high - low))
    return {
        method: {
            name: dict(zip(("covers", "width"), map(float, np.mean(held[method, name], axis=0)), strict=True))
            for name in SHOWN
        }
        for method in METHODS
    }


if __name__ == "__main__":
    main()
