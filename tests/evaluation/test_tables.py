"""The one table type: what its writers make of figures, intervals, groups and names."""

import csv
import io
import math

from wsns.evaluation import tables
from wsns.evaluation.tables import Table

MADE = Table(
    ("method", "Dice", "n_1"),
    (("fine", ("0.85", "0.81–0.90"), "3"), ("the paper's", "0.73", ""), (), ("a|b", ("0.5", ""), "12")),
    "What it shows",
)


def test_a_terminal_has_intervals_below_their_figures_in_the_same_column():
    assert tables.text_lines(MADE) == [
        "What it shows",
        "method       Dice       n_1",
        "───────────────────────────",
        "fine         0.85       3",
        "             0.81–0.90",
        "the paper's  0.73",
        "",
        "a|b          0.5        12",
        "───────────────────────────",
    ]


def test_a_long_name_has_a_line_of_its_own_and_widens_nothing():
    long = "x" * (tables.LONG + 1)
    lines = tables.text_lines(Table(("run", "Dice"), ((long, ("0.5", "0.4–0.6")), ("short", "0.6"))))
    assert lines == [
        "run    Dice",
        "──────────────",
        long,
        "       0.5",
        "       0.4–0.6",
        "short  0.6",
        "─" * 14,
    ]


def test_paragraphs_are_wrapped_and_an_empty_one_is_an_empty_line():
    assert tables.text(["one two three", "", "four"], width=8) == "one two\n  three\n\nfour\n"


def test_markdown_has_brackets_italics_for_the_paper_and_nothing_that_it_would_take_for_markup():
    assert tables.markdown(["Before.", MADE, "", "After."]) == (
        "Before.\n\nWhat it shows:\n\n| method | Dice | n\\_1 |\n| --- | --- | --- |\n| fine | 0.85 [0.81–0.90] | 3 |\n"
        "| *the paper's* | *0.73* |  |\n| a\\|b | 0.5 | 12 |\n\nAfter.\n"
    )


def test_csv_has_all_digits_and_empty_cells_for_no_figure():
    text = tables.csv_text(("name", "value"), (("a, b", 1 / 3), ("c", math.nan), ("d", 2)))
    assert list(csv.reader(io.StringIO(text))) == [
        ["name", "value"],
        ["a, b", str(1 / 3)],
        ["c", ""],
        ["d", "2"],
    ]


def test_things_are_counted_in_words():
    assert [tables.count(n, "scan") for n in (0, 1, 1018)] == ["0 scans", "1 scan", "1,018 scans"]
