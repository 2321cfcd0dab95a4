"""LIDC-IDRI, or its synthetic twin, as slice records; needs no TensorFlow."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from wsns.data.input import OVERVIEW, VERSION
from wsns.data.plan import Options, Plan, Workers, make_plan
from wsns.data.slices import ScanRecords
from wsns.data.split import SPLITS


@dataclasses.dataclass(kw_only=True)
class LidcSlicesConfig(tfds.core.BuilderConfig):
    """A source of volumes with all that settles the records."""

    options: Options = dataclasses.field(default_factory=Options)


class Builder(tfds.core.GeneratorBasedBuilder):
    """Slices with a nodule, and as many without, of one CT scan after the other."""

    VERSION = tfds.core.Version(VERSION)
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 (the name and type are TFDS's)
    # Nothing is downloaded; TFDS's own look-up of this table imports a package that it does not install.
    url_infos: dict[str, Any] = {}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = "README.md beside this file has the commands that download LIDC-IDRI."
    BUILDER_CONFIGS = [  # noqa: RUF012
        LidcSlicesConfig(
            name="twin", description="Synthetic CT volumes, painted from the readers' contours."
        ),
        LidcSlicesConfig(name="archive", description="The CT volumes of LIDC-IDRI, from the manual folder."),
    ]

    def __init__(
        self,
        *,
        plan: Plan | None = None,
        workers: Workers | None = None,
        observe: Callable[[ScanRecords], None] = lambda _: None,
        **kwargs: Any,
    ) -> None:
        """Makes the builder.

        Args:
            plan: what to build; made from the config's options if not given.
            workers: do the work of all splits; started for each split if not given.
            observe: called with each scan's records once they are made.
            **kwargs: as for any TFDS builder.
        """
        self._plan = plan
        self._workers = workers
        self._observe = observe
        kwargs.setdefault("file_format", "array_record")
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        options = self.builder_config.options
        side = (options.crop, options.crop)
        packed = tfds.features.Encoding.ZLIB
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "hu": tfds.features.Tensor(shape=side, dtype=np.int16, encoding=packed),
                    "lungs": tfds.features.Tensor(shape=side, dtype=np.uint8, encoding=packed),
                    "nodules": tfds.features.Tensor(shape=side, dtype=np.uint8, encoding=packed),
                    "overview": tfds.features.Tensor(
                        shape=(OVERVIEW, OVERVIEW), dtype=np.uint8, encoding=packed
                    ),
                    "label": tfds.features.Scalar(np.int32),
                    "count": tfds.features.Scalar(np.int32),
                    "patient": tfds.features.Text(),
                    "series": tfds.features.Text(),
                    "z": tfds.features.Scalar(np.float64),
                    "slice_index": tfds.features.Scalar(np.int32),
                    "spacing": tfds.features.Scalar(np.float64),
                    "thickness": tfds.features.Scalar(np.float64),
                    "origin": tfds.features.Tensor(shape=(2,), dtype=np.int32),
                    "agreement": tfds.features.Tensor(shape=(options.max_nodules,), dtype=np.uint8),
                    "outside_crop": tfds.features.Scalar(np.int32),
                }
            ),
            homepage="https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        options = self.builder_config.options
        if self.builder_config.name == "archive" and not options.manual_dir:
            options = dataclasses.replace(options, manual_dir=str(dl_manager.manual_dir))
        plan = self._plan or make_plan(options, lambda items, _: items)
        return {
            part: self._generate_examples(plan, series, options)
            for part in SPLITS
            if (series := plan.series(part))
        }

    def _generate_examples(
        self, plan: Plan, series: tuple[str, ...], options: Options
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        shared = contextlib.nullcontext(self._workers) if self._workers else None
        with shared or Workers(plan.source, options.rules, options.workers) as workers:
            for result in workers.run(plan.scans[uid] for uid in series):
                for record in result.records:
                    yield f"{record['series']}/{record['slice_index']}", record
                self._observe(result)
