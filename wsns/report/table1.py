"""Table 1 on the page: each method's row, the paper's under it, and beside the U-Net's what it learned from."""

import dataclasses
from collections.abc import Sequence

from wsns.evaluation import table1_text
from wsns.evaluation.cases import FINE
from wsns.evaluation.table1 import Row, Table
from wsns.report import glossary, html

UNET = "U-Net"
TERMS = (
    *("1-, 2-, 3-GAP", "NAM", "coarse", "fine", "U-Net", "consensus"),
    *("TPR", "FPR", "FPR_nodule", "Dice", "TP Dice", "TP DOA"),
)


@dataclasses.dataclass(frozen=True)
class Learned:
    """What a network learned from.

    `network`: '1-GAP' to '3-GAP' or 'U-Net'; `slices` of the training split, None where the run left no word of it;
    `epochs` in all, of which epoch `kept` was the best; `start` in words.
    """

    network: str
    slices: int | None
    epochs: int
    kept: int
    start: str

    @property
    def seen(self) -> int | None:
        """Slices times epochs."""
        return None if self.slices is None else self.slices * self.epochs


def section(table: Table, data: str, learned: Sequence[Learned]) -> str:
    """Returns the table with its notes and the meaning of its columns.

    Args:
        table: Table 1.
        data: the data in words.
        learned: of each network.
    """
    return html.section(
        "Table 1",
        _table(table, data, learned),
        html.bullets(table1_text.remarks(table), style="notes"),
        glossary.explain(*TERMS),
    )


def effort(learned: Sequence[Learned]) -> str:
    """Returns in what the U-Net had less to learn from than the weak networks, or that it had not; '' without it."""
    unet = next((own for own in learned if own.network == UNET), None)
    weak = [own for own in learned if own.network != UNET]
    if unet is None or not weak:
        return ""
    less = []
    if unet.slices and any(own.slices and own.slices > unet.slices for own in weak):
        less.append("fewer slices")
    if unet.seen and any(own.seen and own.seen > unet.seen for own in weak):
        less.append("fewer passes over slices in all")
    if unet.start != weak[0].start:
        less.append(f"another start (theirs: {_brief(weak[0].start)})")
    if less:
        return f"Unlike the weak networks it had {', '.join(less)}: no baseline at equal effort."
    known = all(own.slices for own in learned)
    return "It had at least as many slices and passes as the weak networks, and their start." if known else ""


def lesson(own: Learned) -> str:
    """Returns what a network learned from, in words."""
    slices = "" if own.slices is None else f"{own.slices:,} slices, "
    return f"{slices}{_epochs(own)}, start: {_brief(own.start)}"


def _brief(start: str) -> str:
    """Returns a start without what stands in brackets, which the page says elsewhere: "patches", "random"."""
    return start.split(" (")[0].removesuffix(" start")


def _epochs(own: Learned) -> str:
    kept = "" if own.kept == own.epochs else f" (kept: epoch {own.kept})"
    return f"{own.epochs:,} {'epoch' if own.epochs == 1 else 'epochs'}{kept}"


def _table(table: Table, data: str, learned: Sequence[Learned]) -> str:
    heads = ("Method", *(heading for heading in table1_text.HEADINGS.values()))
    head = "".join(f'<th scope="col">{html.text(cell)}</th>' for cell in heads)
    caption = (
        f"{data}: mean ± SD, below it the 95 % interval. In italics, the paper’s own figures on LIDC-IDRI."
    )
    rows = "\n".join(_rows(row, learned, len(heads)) for row in table.rows)
    return '<p class="hint">The table scrolls sideways.</p>' + html.scrolling(
        "Table 1",
        f'<table class="table1">\n<caption><span>{html.text(caption)}</span></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>",
    )


def _rows(row: Row, learned: Sequence[Learned], columns: int) -> str:
    """Returns a method's row and the paper's under it; the U-Net's begins with what it learned from."""
    pairs = zip(table1_text.value_cells(row), table1_text.interval_cells(row), strict=True)
    cells = "".join(html.cell(pair) for pair in pairs)
    printed = "".join(html.cell(value) for value in table1_text.paper_cells(row.method))
    group = ' class="group"' if row.method in (FINE[0], UNET) else ""
    lines = [
        f'<tr{group}><th scope="row">{html.text(row.method)}</th>{cells}</tr>',
        f'<tr class="paper"><th scope="row">{html.PAPERS}</th>{printed}</tr>',
    ]
    if said := _caveat(learned) if row.method == UNET else "":
        lines.append(f'<tr class="aside"><td colspan="{columns}"><span>{html.text(said)}</span></td></tr>')
    return "\n".join(lines)


def _caveat(learned: Sequence[Learned]) -> str:
    own = next((own for own in learned if own.network == UNET), None)
    return f"{UNET}: {lesson(own)}. {effort(learned)}".strip() if own else ""
