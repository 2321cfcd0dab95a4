"""From networks and options to what searches a scan."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wsns.data.images.ct import ChestCT
from wsns.errors import InputError
from wsns.prediction.networks import Networks
from wsns.prediction.scan import Prediction, Rules, predict_scan
from wsns.segmentation.networks import weak_networks
from wsns.segmentation.options import Options
from wsns.segmentation.pipeline import Network, Slices, segment_slices
from wsns.segmentation.regions import Screen
from wsns.segmentation.results import SliceResult

RESEARCH_ONLY = "Research software, no medical device: its marks are no diagnosis, and it misses nodules."
SYNTHETIC_ONLY = (
    "The networks were trained on synthetic scans only: what they find in a real scan is an experiment."
)


@dataclasses.dataclass(frozen=True)
class Choice:
    """How a scan is searched: `detect` is the 1-GAP probability from which on a slice is, `gaps` the variant whose
    outline is taken, 0 for the one of most GAPs; `rules` say what counts.
    """

    rules: Rules
    detect: float
    gaps: int = 0

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Choice":
        """Returns that of the fields of `config.predict`.

        Raises:
            InputError: for a value that can't be.
        """
        if not 0 <= fields["detect"] <= 1:
            raise InputError(f"config.predict.detect={fields['detect']:g}: must lie between 0 and 1")
        rules = Rules(fields["score"], fields["least"], fields["smallest"])
        return cls(rules, fields["detect"], fields["gaps"])


Search = Callable[..., Prediction]
"""Searches a `ChestCT`; `each` is like `map`, over the slices of a block, `progress` as in `predict_scan`."""


def searcher(
    networks: Networks,
    choice: Choice,
    *,
    ahead: Callable[..., Iterator[Any]] = map,
) -> Search:
    """Returns what searches scans with networks; compiled by the first and used by all.

    Args:
        networks: that search.
        choice: how.
        ahead: see `wsns.segmentation.pipeline.segment_slices`.

    Raises:
        InputError: if the networks have no such variant.
    """
    config = networks.config
    known = sorted(int(name[-1]) for name in networks.trained)
    gaps = choice.gaps or max(known)
    if gaps not in known:
        raise InputError(
            f"config.predict.gaps={gaps}: these networks have {', '.join(f'{own}' for own in known)} GAPs"
        )
    options = dataclasses.replace(Options(**config.segment.to_dict()), detect=choice.detect)
    read, screen = _assembled(networks)
    neighbours = config.data.neighbours if config.model.channels == "neighbours" else 0.0

    def search(ct: ChestCT, each: Callable[..., Iterator[Any]] = map, **progress: Any) -> Prediction:
        def method(slices: Slices) -> Iterator[SliceResult]:
            return segment_slices(slices, read, screen, options, ahead=ahead, each=each)

        found = predict_scan(
            ct, method, choice.rules, gaps=gaps, crop=config.data.crop, neighbours=neighbours, **progress
        )
        return dataclasses.replace(found, warnings=(*_warnings(networks, ct, choice.rules), *found.warnings))

    return search


@functools.lru_cache(maxsize=4)
def _assembled(networks: Networks) -> tuple[dict[int, Network], Screen]:
    """Assembles networks once in a process: jitted functions compile anew for each that is assembled."""
    return weak_networks(networks.config, networks.trained, Options(**networks.config.segment.to_dict()))


def _warnings(networks: Networks, ct: ChestCT, rules: Rules) -> Iterator[str]:
    yield RESEARCH_ONLY
    if rules.score != "probability" and not networks.packaged:
        yield (
            f"A nodule counts from a score of {rules.least:g} on (predict.least), chosen for the package's networks: "
            "benchmarks/mark_scores.py says what it should be for those of a run."
        )
    if networks.synthetic:
        yield SYNTHETIC_ONLY
    if networks.saw(ct.patient):
        yield (
            f"The networks were trained or chosen on scans of patient {ct.patient}: what they find here says nothing "
            "of how well they find."
        )
