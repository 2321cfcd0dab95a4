"""One DICOM file's header: where its slice lies, how its pixels are stored, and what is wrong with them."""

import dataclasses
import math
from typing import NamedTuple

from pydicom.errors import InvalidDicomError

from wsns.data.dicom.elements import COMPRESSED, PLAIN, UNSEEN, Elements, name_of

PREFIX_BYTES = 1 << 15
_LONGEST_BYTES = 1 << 24
NO_DICOM, OTHER_MODALITY = "not a DICOM file", "of modality"
PACKED = "a packed file"
LOCALIZER, SCREEN = "a localizer (scout)", "a secondary capture (screen save)"
_PACKINGS = {
    b"PK\3\4": "ZIP", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}  # fmt: skip
_TAR_AT, _TAR = 257, b"ustar"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
# "US" is "unspecified"; all else names another unit.
_HOUNSFIELD = ("", "HU", "US")


class File(NamedTuple):
    """A file as its folder lists it: size in bytes and time of change tell whether it is still the same."""

    path: str
    size: int
    mtime_ns: int


@dataclasses.dataclass(frozen=True, slots=True)
class SliceFile:
    """One CT slice's file.

    `z` in mm and `orientation` (row and column direction) are in patient coordinates, `tilt` is the gantry's
    in degrees, `spacing` the pixels' (between rows, between columns) in mm. HU = stored value * `slope` +
    `intercept`; `padding` are the least and the greatest stored value of pixels that are no image, empty where the
    header names none. Plainly stored pixels start at byte `offset`, as NumPy's type `stored` with `bits` of its 16
    in use; `stored` is empty for any other encoding. `problem` says why the pixels cannot be used, and is empty if
    they can; `aside` says what the file is if it lies in the series as something other than a slice; `remark` is
    what of its form is wrong and yet could be read.
    """

    path: str
    size: int
    mtime_ns: int
    series: str
    instance_uid: str
    instance: int
    z: float
    orientation: tuple[float, ...]
    tilt: float
    spacing: tuple[float, ...]
    rows: int
    columns: int
    slope: float
    intercept: float
    padding: tuple[int, ...]
    stored: str
    bits: int
    offset: int
    problem: str
    aside: str = ""
    remark: str = ""


def read_header(file: File, start: bytes) -> SliceFile | str:
    """Reads one file's header.

    Args:
        file: the file.
        start: its first `PREFIX_BYTES` bytes; more is read only where the header goes on beyond them.

    Returns:
        The slice, or what the file is instead.

    Raises:
        OSError: if the file cannot be read.
    """
    if packed := _packed(start):
        return f"{PACKED} ({packed}): unpack it"
    found = _parse(file, start)
    settled = found.startswith((NO_DICOM, OTHER_MODALITY)) if isinstance(found, str) else not found.problem
    if settled or file.size <= len(start):
        return found
    with open(file.path, "rb") as stream:
        return _parse(file, stream.read(_LONGEST_BYTES))


def _packed(start: bytes) -> str:
    """Returns the name of a file's packing, empty if it is not packed."""
    if start[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return "tar"
    return next((name for magic, name in _PACKINGS.items() if start.startswith(magic)), "")


def _parse(file: File, content: bytes) -> SliceFile | str:
    try:
        header = Elements(content)
        return _lack(header) or _slice(header, file)
    except InvalidDicomError:
        return NO_DICOM if content else "an empty file"
    except Exception as error:  # pydicom raises almost anything on bytes that only begin like a header
        return f"a damaged DICOM file ({type(error).__name__})"


def _lack(header: Elements) -> str:
    """Says what keeps a file from being a CT slice, if anything."""
    modality = header.text("Modality")
    if modality.upper() != "CT":
        return f"{OTHER_MODALITY} {modality[:16]!a}" if modality else "a DICOM file without modality"
    if header.text("SOPClassUID") == _ENHANCED_CT:
        return "an enhanced CT, many slices in one file: convert it to single slices"
    for name, length in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
        if len(header.numbers(name)) != length:
            return _aside(header) or f"a CT file {_without(header, name)}"
    return "" if header.has("SeriesInstanceUID") else "a CT file without SeriesInstanceUID"


def _without(header: Elements, name: str) -> str:
    if header.has(name):
        return f"whose {name} is {header.text(name)[:32]!a}"
    ended = not header.start and header.syntax not in UNSEEN
    return f"{'cut short before its' if ended else 'without'} {name}"


def _aside(header: Elements) -> str:
    """Says what a CT file is by its own word if not a slice; some programs write slices as secondary captures."""
    if "LOCALIZER" in header.text("ImageType").upper():
        return LOCALIZER
    screen = header.text("SOPClassUID").startswith(_SECONDARY_CAPTURE)
    return SCREEN if screen or "SCREEN SAVE" in header.text("ImageType").upper() else ""


def _slice(header: Elements, file: File) -> SliceFile:
    signed = header.word("PixelRepresentation") == 1
    names = [name for name in ("PixelPaddingValue", "PixelPaddingRangeLimit") if header.has(name)]
    padding = sorted(header.word(name, signed) for name in names if header.has("PixelPaddingValue"))
    plain = header.syntax in PLAIN
    return SliceFile(
        *file,
        series=header.text("SeriesInstanceUID"),
        instance_uid=header.text("SOPInstanceUID"),
        instance=int(header.number("InstanceNumber", 0)),
        z=header.numbers("ImagePositionPatient")[2],
        orientation=header.numbers("ImageOrientationPatient"),
        tilt=header.number("GantryDetectorTilt", 0.0),
        spacing=header.numbers("PixelSpacing"),
        rows=header.word("Rows"),
        columns=header.word("Columns"),
        slope=header.number("RescaleSlope", math.nan),
        intercept=header.number("RescaleIntercept", math.nan),
        padding=(padding[0], padding[-1]) if padding else (),
        stored=("<i2" if signed else "<u2") if plain else "",
        bits=header.word("BitsStored"),
        offset=header.start,
        problem=_misplaced(header, file.size) or _unlike_ct(header) or _misshaped(header),
        aside=_aside(header),
        remark=header.remark,
    )


def _misplaced(header: Elements, size: int) -> str:
    """Says why a slice's pixels cannot be got at."""
    if header.syntax not in UNSEEN:
        if not header.start:
            return "has no pixel data"
        if (end := header.end_of_pixels()) > size:
            return f"is cut short: {size} of at least {end} bytes"
    if header.unnamed:
        said = f"calls them {name_of(header.said)}" if header.said else "names no transfer syntax"
        return f"has compressed pixels, but its header {said}"
    if header.syntax not in (*PLAIN, *UNSEEN, *COMPRESSED):
        return f"has pixels in the encoding {name_of(header.syntax)}, which is not read here: decompress it"
    return ""


def _unlike_ct(header: Elements) -> str:
    """Says why a slice's values are not in HU; this SimpleITK would decode without a word."""
    if header.number("RescaleSlope", 0) == 0 or math.isnan(header.number("RescaleIntercept", math.nan)):
        return "has no rescale slope or no intercept, so its values are not in HU"
    if (unit := header.text("RescaleType")).upper() not in _HOUNSFIELD:
        return f"has values of the type {unit[:16]!a}, not HU"
    if (photometric := header.text("PhotometricInterpretation")) != "MONOCHROME2":
        return f"has the photometric interpretation {photometric[:16]!a}, not MONOCHROME2"
    return ""


def _misshaped(header: Elements) -> str:
    """Says why a slice's pixels are not what is read here: one frame of 16 bits; SimpleITK would not say so."""
    frames, samples = header.number("NumberOfFrames", 1), header.word("SamplesPerPixel")
    if (frames, samples, (bits := header.word("BitsAllocated"))) != (1, 1, 16):
        return f"has {frames:g} frames of {samples} samples of {bits} bits, not one frame of one of 16"
    bits, high = header.word("BitsStored"), header.word("HighBit")
    if not 0 < bits <= 16 or high != bits - 1:
        return f"stores {bits} bits of which the highest is number {high} of 16, not {bits - 1}"
    if not header.has("PixelRepresentation") or header.word("PixelRepresentation") > 1:
        return "does not say whether its values are signed (PixelRepresentation)"
    row, rows = 2 * header.word("Columns"), header.word("Rows")
    if header.syntax in PLAIN and not 0 <= header.length - rows * row < max(row, 2):
        return f"holds {header.length} bytes of pixels where {rows} rows of {row} bytes are announced"
    return ""
