"""One row per test slice and method: `cases.csv`, from which Table 1 follows without any network."""

import collections
import csv
import dataclasses
import io
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from wsns.errors import InputError
from wsns.evaluation import metrics
from wsns.evaluation.surface_distance import compare_surfaces
from wsns.runtime.workdir import read_text, write_text

VARIANTS = (1, 2, 3)
COARSE = tuple(f"{g}-GAP coarse" for g in VARIANTS)
FINE = tuple(f"{g}-GAP fine" for g in VARIANTS)
WEAK = COARSE + FINE
METHODS = (*WEAK, "U-Net")


@dataclasses.dataclass(frozen=True)
class Case:
    """One slice and method, in the columns of `cases.csv`; None where a column doesn't apply.

    `z` is in mm, areas in mm². `score` is the method's own nodule probability. `tp` counts the nodules that
    the result overlaps. On a slice without a nodule all that follow `detected` but `area_mm2` are None.

    Of surfaces, None where there is no true positive: `hd95_mm`, `assd_mm`, `surface_dice` (at 1 mm). Of weak rows:
    `peak_mm` from the map's maximum in the lungs' closed hull to the nearest nodule, `peak_chance` that a pixel of the
    hull is within 5 mm; `in_scope`, the share of the nodules in the scopes, None where nothing was sought; of slices
    with one nodule `best_dice` of the candidates and whether the chosen one is of the `same_object`. Of the slice:
    `texture` (1 ground glass to 5 solid), `readers` who drew there, `reader_dice` with the consensus, their mean; of
    several nodules the largest one's, as `nodule`, its number in the scan. `outside_crop`: pixels of the consensus that
    the crop leaves out; a slice whose nodules all lie there is not `reachable`, and stands in no figure.

    Raises:
        ValueError: if the columns contradict each other.
    """

    patient: str
    series: str
    z: float
    method: str
    label: int
    nodules: int
    score: float
    detected: int
    tp: int | None
    dice: float | None
    area_mm2: float
    area_ref_mm2: float | None
    diameter_mm: float | None
    hd95_mm: float | None = None
    assd_mm: float | None = None
    surface_dice: float | None = None
    peak_mm: float | None = None
    peak_chance: float | None = None
    in_scope: float | None = None
    best_dice: float | None = None
    same_object: int | None = None
    texture: float | None = None
    readers: int | None = None
    reader_dice: float | None = None
    outside_crop: int | None = None
    nodule: int | None = None

    @property
    def reachable(self) -> bool:
        """Whether there is something to find in the crop, if there is a nodule in the slice."""
        return self.area_ref_mm2 != 0

    def __post_init__(self) -> None:
        for wrong, problem in self._rules():
            if wrong:
                raise ValueError(problem)

    def _rules(self) -> Iterable[tuple[bool, str]]:
        """Yields (broken, what is wrong), each only once the ones before it hold."""
        yield self.method not in METHODS, f"method '{self.method}' is none of {', '.join(METHODS)}"
        yield self.label not in (0, 1) or self.detected not in (0, 1), "label and detected must be 0 or 1"
        yield not math.isfinite(self.z), "z must be a finite number"
        yield not 0 <= self.score <= 1, f"score {self.score} is no probability"
        yield (self.nodules > 0) != bool(self.label) or self.nodules < 0, "nodules contradicts label"
        yield not 0 <= self.area_mm2 < math.inf, "area_mm2 must be a finite number of at least 0"
        yield not self.detected and self.area_mm2 > 0, "area_mm2 must be 0 where detected is 0"
        if not self.label:
            of_nodule = [name for name in OF_NODULE if getattr(self, name) is not None]
            yield bool(of_nodule), f"{', '.join(of_nodule)} need label 1"
            return
        if self.tp is None or self.dice is None or self.area_ref_mm2 is None or self.diameter_mm is None:
            yield True, "tp, dice, area_ref_mm2 and diameter_mm must be filled where label is 1"
            return
        sizes = (self.area_ref_mm2, self.diameter_mm)
        yield not all(0 <= size < math.inf for size in sizes), "sizes must be finite and at least 0"
        yield not 0 <= self.tp <= self.nodules, f"tp {self.tp} lies outside 0..nodules"
        yield not 0 <= self.dice <= 1, f"dice {self.dice} lies outside 0..1"
        yield not self.detected and self.tp > 0, "tp must be 0 where detected is 0"
        yield (self.tp > 0) != (self.dice > 0), "tp and dice must be 0 together"
        shares = (self.surface_dice, self.peak_chance, self.in_scope, self.best_dice, self.reader_dice)
        yield any(v is not None and not 0 <= v <= 1 for v in shares), "a share lies outside 0..1"
        lengths = (self.hd95_mm, self.assd_mm, self.peak_mm)
        yield (
            any(v is not None and not 0 <= v < math.inf for v in lengths),
            "distances must be finite and at least 0",
        )
        yield self.same_object not in (None, 0, 1), "same_object must be 0 or 1"
        yield (self.outside_crop or 0) < 0, "outside_crop must be at least 0"


COLUMNS = tuple(field.name for field in dataclasses.fields(Case))
OF_NODULE = ("tp", "dice", *COLUMNS[COLUMNS.index("area_ref_mm2") :])
"""Columns that a slice without a nodule leaves empty."""


def case_row(
    result: np.ndarray | None,
    instances: np.ndarray,
    *,
    patient: str,
    series: str,
    z: float,
    spacing: float,
    nodules: int,
    method: str,
    score: float,
    detected: bool,
    measures: Mapping[str, Any] = MappingProxyType({}),
) -> Case:
    """Returns the row of one slice and method.

    A slice that is not declared a nodule slice has no result: its area, Dice and tp are 0. Dice is against
    the union of the consensus.

    Args:
        result: (S, S) bool, or None for an empty one; ignored where `detected` is false.
        instances: (S, S) int, 1..n for the nodules of the consensus inside the crop, 0 elsewhere.
        patient: the patient's name.
        series: the series UID.
        z: the slice's position in mm.
        spacing: the in-plane pixel spacing in mm.
        nodules: number of consensus nodules in the slice; label is 1 where it is not 0.
        method: one of METHODS.
        score: the method's own nodule probability.
        detected: whether the slice was declared a nodule slice.
        measures: the columns from `peak_mm` on; left out on a slice without a nodule.
    """
    found = np.zeros(instances.shape, bool) if result is None or not detected else result.astype(bool)
    reference = instances > 0
    area_ref = metrics.area_mm2(reference, spacing)
    tp = metrics.overlapped_nodules(found, instances)
    surfaces = compare_surfaces(found, reference, spacing) if tp else None
    return Case(
        patient=patient,
        series=series,
        z=float(z),
        method=method,
        label=int(nodules > 0),
        nodules=int(nodules),
        score=float(score),
        detected=int(detected),
        tp=tp if nodules else None,
        # Without overlap it is 0 even where the crop cut the consensus off and both masks are empty.
        dice=(metrics.dice(found, reference) if tp else 0.0) if nodules else None,
        area_mm2=metrics.area_mm2(found, spacing),
        area_ref_mm2=area_ref if nodules else None,
        diameter_mm=metrics.equivalent_diameter_mm(area_ref) if nodules else None,
        hd95_mm=surfaces.hd95_mm if surfaces else None,
        assd_mm=surfaces.assd_mm if surfaces else None,
        surface_dice=surfaces.surface_dice if surfaces else None,
        **(measures if nodules else {}),
    )


def write_cases(path: pathlib.Path, cases: Iterable[Case]) -> None:
    """Writes `cases.csv`, whole or not at all; numbers keep all their digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if v is None else v for v in dataclasses.astuple(case)] for case in cases)
    write_text(path, text.getvalue())


def read_cases(path: pathlib.Path) -> list[Case]:
    """Reads and checks `cases.csv`.

    Raises:
        InputError: if the file is missing, empty, has other columns, a value that cannot be, or a slice and
            method twice; the message names the file, the line and the column.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist: run the segmentation first, or name another workdir")
    with io.StringIO(read_text(path)) as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            raise InputError(
                f"{path}: the columns are {', '.join(header) or 'missing'}; they must be {', '.join(COLUMNS)}"
            )
        cases = [_parse(row, f"{path}, line {reader.line_num}") for row in reader]
    if not cases:
        raise InputError(f"{path} holds no cases: the test split is empty, or the run was cut short")
    counts = collections.Counter((case.series, case.z, case.method) for case in cases)
    (series, z, method), times = counts.most_common(1)[0]
    if times > 1:
        raise InputError(f"{path}: {method} on z = {z} of {series} stands there {times} times")
    return cases


def _optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text == "" else parse(text)


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "patient": str, "series": str, "z": float, "method": str, "label": int, "nodules": int, "score": float,
    "detected": int, "tp": _optional(int), "dice": _optional(float), "area_mm2": float,
    "area_ref_mm2": _optional(float), "diameter_mm": _optional(float), "hd95_mm": _optional(float),
    "assd_mm": _optional(float), "surface_dice": _optional(float), "peak_mm": _optional(float),
    "peak_chance": _optional(float), "in_scope": _optional(float), "best_dice": _optional(float),
    "same_object": _optional(int), "texture": _optional(float), "readers": _optional(int),
    "reader_dice": _optional(float), "outside_crop": _optional(int), "nodule": _optional(int),
}  # fmt: skip


def _parse(row: list[str], where: str) -> Case:
    """Returns the case of one line; `where` names the line in the error."""
    if len(row) != len(COLUMNS):
        raise InputError(f"{where}: {len(row)} values where {len(COLUMNS)} are due; make the file again")
    values = {}
    for column, text in zip(COLUMNS, row, strict=True):
        try:
            values[column] = _PARSERS[column](text)
        except ValueError:
            raise InputError(
                f"{where}, column {column}: '{text}' is no number; make the file again"
            ) from None
    try:
        return Case(**values)
    except ValueError as error:
        raise InputError(f"{where}: {error}; make the file again") from None
