"""LIDC-IDRI, or its synthetic twin, as slice records; needs no TensorFlow."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from wsns.data.lidc.annotations import Scan
from wsns.data.records.extract import Rules
from wsns.data.records.plan import Options, Plan, make_plan
from wsns.data.records.schema import MAX_READERS, OVERVIEW, VERSION, Slices
from wsns.data.records.split import SPLITS
from wsns.data.records.workers import prepare
from wsns.data.volume import Source


@dataclasses.dataclass(kw_only=True)
class LidcSlicesConfig(tfds.core.BuilderConfig):
    """All that settles the records.

    `manual`: the volumes come from TFDS's manual folder; `beam`: Apache Beam spreads the scans.
    """

    options: Options = dataclasses.field(default_factory=Options)
    manual: bool = False
    beam: bool = False


class Builder(tfds.core.GeneratorBasedBuilder):
    """Slices with a nodule, and as many without, of one CT scan after the other.

    `main.py` takes only the description from here and writes the records itself, with all cores, in order and
    resumable; the class builds on its own for those who come from TFDS or have a cluster for Beam.
    """

    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES = {  # noqa: RUF012 (the name and type are TFDS's)
        "1.3.0": "The same slices; counts of nodules of two readers beside them.",
        "1.2.0": "The slices below and above, on request.",
        "1.1.0": "Which nodule an instance is, its texture, each reader's Dice, what the hull leaves out.",
        "1.0.0": "First release.",
    }
    # Nothing is downloaded; TFDS's own look-up of this table imports a package that it does not install.
    url_infos: dict[str, Any] = {}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = "README.md beside this file has the commands that download LIDC-IDRI."
    BUILDER_CONFIGS = [  # noqa: RUF012
        LidcSlicesConfig(
            name="archive", manual=True, description="The CT volumes of LIDC-IDRI, from the manual folder."
        ),
        LidcSlicesConfig(
            name="archive_beam", manual=True, beam=True, description="The same, by Apache Beam."
        ),
        LidcSlicesConfig(
            name="twin", description="Synthetic CT volumes, painted from the readers' contours."
        ),
    ]

    def __init__(self, **kwargs: Any) -> None:
        """Makes the builder; the arguments are those of any TFDS builder."""
        super().__init__(**{"file_format": "array_record"} | kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=features(self.builder_config.options),
            homepage="https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        options = self.builder_config.options
        if self.builder_config.manual:
            options = dataclasses.replace(options, manual_dir=str(dl_manager.manual_dir))
        plan = make_plan(options, lambda items, _: items)
        return {
            part: self._generate_examples(plan, series, options.rules)
            for part in SPLITS
            if (series := plan.series(part))
        }

    def _generate_examples(self, plan: Plan, series: tuple[str, ...], rules: Rules) -> Any:
        jobs = ((plan.scans[uid], plan.source.only([uid]), rules) for uid in series)
        if not self.builder_config.beam:
            return (example for job in jobs for example in scan_examples(job))
        beam = tfds.core.lazy_imports.apache_beam
        return beam.Create(list(jobs)) | beam.Reshuffle() | beam.FlatMap(scan_examples)


def features(options: Options) -> tfds.features.FeaturesDict:
    """Returns what a record holds, by the names of `wsns.data.records.schema.Slices`."""
    side = (options.crop, options.crop)
    most = options.max_nodules
    return tfds.features.FeaturesDict(
        {
            "hu": _pixels(side, np.int16),
            "beside": _pixels((2 if options.neighbours else 0, *side), np.int16),
            "lungs": _pixels(side, np.uint8),
            "nodules": _pixels(side, np.uint8),
            "overview": _pixels((OVERVIEW, OVERVIEW), np.uint8),
            "label": tfds.features.Scalar(np.int32),
            "count": tfds.features.Scalar(np.int32),
            "patient": tfds.features.Text(),
            "series": tfds.features.Text(),
            "z": tfds.features.Scalar(np.float64),
            "slice_index": tfds.features.Scalar(np.int32),
            "spacing": tfds.features.Scalar(np.float64),
            "thickness": tfds.features.Scalar(np.float64),
            "origin": tfds.features.Tensor(shape=(2,), dtype=np.int32),
            "cluster": tfds.features.Tensor(shape=(most,), dtype=np.int32),
            "agreement": tfds.features.Tensor(shape=(most,), dtype=np.uint8),
            "reader_dice": tfds.features.Tensor(shape=(most, MAX_READERS), dtype=np.float32),
            "texture": tfds.features.Tensor(shape=(most,), dtype=np.float32),
            "outside_crop": tfds.features.Scalar(np.int32),
            "outside_hull": tfds.features.Scalar(np.int32),
        }
    )


def examples(slices: Slices) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields a scan's records as TFDS takes them: a key, and values by feature."""
    for n in range(len(slices)):
        record = slices.row(n)
        names = {name: str(record[name]) for name in ("patient", "series")}
        yield f"{names['series']}/{record['slice_index']}", record | names


def scan_examples(job: tuple[Scan, Source, Rules]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reads one scan and yields its records."""
    yield from examples(prepare(*job).slices)


def _pixels(shape: tuple[int, ...], dtype: type) -> tfds.features.Tensor:
    # ArrayRecord compresses each record itself, in native code: TFDS's zlib on top would only take time.
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding=tfds.features.Encoding.BYTES)
