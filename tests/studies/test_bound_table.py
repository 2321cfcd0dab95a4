import csv
import dataclasses

import numpy as np
import pytest

from wsns.evaluation import tables
from wsns.studies.candidate_bound.measure import FIGURES, Nodule, Row
from wsns.studies.candidate_bound.table import READERS, lines, reader_rows
from wsns.studies.candidate_bound.text import COLUMNS, HEADS, as_csv, parts, remarks


def made_rows(seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for scheme in ("first", "second"):
        for n in range(20):
            nodule = Nodule(f"P{n % 4}", f"1.{n % 4}", float(n), n, 1 + n % 2, 12.5)
            values = dict(zip(FIGURES, rng.random(len(FIGURES)), strict=True))
            rows.append(Row(scheme, nodule, int(rng.integers(1, 20)), int(rng.integers(0, 3)), values))
    readers = [(row.nodule, 0.8 if n else float("nan")) for n, row in enumerate(rows[:20])]
    return rows + reader_rows(readers)


def test_a_line_is_the_mean_over_a_schemes_rows():
    rows = made_rows()
    first, second, readers = lines(rows, draws=200, seed=0)
    best = np.array([row.dice["best"] for row in rows if row.scheme == "second"])
    counts = [row.candidates for row in rows if row.scheme == "second"]
    assert second.best.value == pytest.approx(best.mean())
    assert second.best.low < best.mean() < second.best.high
    assert second.gain.value == pytest.approx(best.mean() - first.best.value)
    assert (first.gain.low, first.gain.high) == (0, 0)
    assert second.good == np.mean(best >= 0.5)
    assert second.number == np.mean(counts)
    assert second.most == np.percentile(counts, 95)
    assert second.cut == sum(row.cut for row in rows if row.scheme == "second")
    assert second.scans["P1", "1.1"] == pytest.approx(best[1::4].mean())
    assert second.figures["edge"] == pytest.approx(
        np.mean([r.dice["edge"] for r in rows if r.scheme == "second"])
    )
    # The nodule that one reader drew alone is left out.
    assert readers.best.value == pytest.approx(0.8)
    assert readers.good == 1


def test_no_rule_is_called_as_another_column_is():
    for names in (FIGURES, COLUMNS, HEADS):
        assert len(set(names)) == len(names), names
    assert FIGURES[:3] == ("best", "random", "largest")


def test_texts_hold_every_scheme_and_scan():
    rows = made_rows()
    found = lines(rows, draws=50, seed=0)
    said = remarks(rows, 24)
    text = tables.text(parts(found, said, source="made up"))
    assert "20 outlines of 4 nodules in 20 slices of 4 patients" in text.replace("\n", " ")
    assert "Only 4 patients" in text.replace("\n", " ")
    for part in ("first", "second", READERS, "P3", "made up", f"{found[1].best.value:.3f}"):
        assert part in text
    table = [
        line.count("|")
        for line in tables.markdown(parts(found, said, source="")).splitlines()
        if line.startswith("|")
    ]
    assert len(table) == 2 * (2 + 3)
    assert len(set(table[:5])) == len(set(table[5:])) == 1


def test_scans_without_end_are_left_to_the_csv():
    rows = [
        dataclasses.replace(row, nodule=dataclasses.replace(row.nodule, series=f"9.{n % 20}"))
        for n, row in enumerate(made_rows())
    ]
    assert "P3" not in tables.text(parts(lines(rows, draws=0, seed=0), [], source=""))


def test_the_csv_has_a_row_per_nodule_slice_and_scheme():
    rows = made_rows()
    found = list(csv.DictReader(as_csv(rows).splitlines()))
    assert tuple(found[0]) == COLUMNS
    assert len(found) == len(rows)
    assert float(found[25]["best"]) == rows[25].dice["best"]
    assert (found[3]["series"], found[3]["slice_index"], found[3]["nodule"]) == ("1.3", "3", "2")
    assert (found[40]["best"], found[41]["best"], found[41]["edge"], found[41]["candidates"]) == (
        "",
        "0.8",
        "",
        "",
    )
