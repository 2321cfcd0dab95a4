"""Finished scans on disk: what lets an interrupted build go on where it stopped."""

import dataclasses
import io
import json
import pathlib
import zipfile

import numpy as np
from matplotlib import image

from wsns.data.records.extract import Rules, ScanFacts, ScanRecords
from wsns.data.records.schema import NAMES, VERSION, Slices
from wsns.data.volume import Source
from wsns.runtime import workdir

# HU are noise to a compressor: higher levels take much longer and save next to nothing.
_LEVEL = 1
_QUALITY = 85


@dataclasses.dataclass(frozen=True, eq=False)
class StoredScan:
    """A scan's records, what to account for, and its picture as JPEG."""

    slices: Slices
    facts: ScanFacts
    picture: bytes


@dataclasses.dataclass(frozen=True)
class Store:
    """Finished scans in a folder, one file each, which appears when it is complete.

    The file's name holds a fingerprint of all that the records depend on, so that a scan whose files or rules
    have changed is not found.
    """

    folder: pathlib.Path
    source: Source
    rules: Rules

    def only(self, series: str) -> "Store":
        """Returns the store as far as one scan needs it."""
        return dataclasses.replace(self, source=self.source.only([series]))

    def path(self, series: str) -> pathlib.Path:
        """Returns where a finished scan lies, or will."""
        inputs = [VERSION, dataclasses.asdict(self.rules), self.source.identity(series)]
        return self.folder / f"{series}.{workdir.fingerprint(inputs)}.npz"

    def write(self, scan: ScanRecords) -> None:
        """Keeps a finished scan.

        Raises:
            OSError: if it cannot be written; nothing of it stays.
        """
        jpeg = io.BytesIO()
        image.imsave(jpeg, scan.picture, format="jpg", pil_kwargs={"quality": _QUALITY})
        arrays = scan.slices.__dict__ | {
            "facts": np.array(json.dumps(dataclasses.asdict(scan.facts))),
            "picture": np.frombuffer(jpeg.getvalue(), np.uint8),
        }
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
        workdir.write_bytes(self.path(scan.facts.series), content.getvalue())

    def read(self, series: str) -> StoredScan:
        """Returns a finished scan."""
        with np.load(self.path(series)) as file:
            facts = json.loads(str(file["facts"]))
            return StoredScan(
                Slices(**{name: file[name] for name in NAMES}), _facts(facts), file["picture"].tobytes()
            )


def _facts(values: dict[str, object]) -> ScanFacts:
    """JSON has lists where `ScanFacts` has tuples."""
    return ScanFacts(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})  # type: ignore[arg-type]
