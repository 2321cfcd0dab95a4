"""One DICOM file's header: where its slice lies, how its pixels are stored, and what is wrong with them."""

import dataclasses
import functools
import io
import math
from typing import Literal, NamedTuple

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

PREFIX_BYTES = 1 << 15
_LONGEST_BYTES = 1 << 24
NO_DICOM, OTHER_MODALITY = "not a DICOM file", "of modality"
_TAGS = {
    name: Tag(name)
    for name in (
        "Modality", "SeriesInstanceUID", "SOPInstanceUID", "InstanceNumber", "ImagePositionPatient",
        "ImageOrientationPatient", "GantryDetectorTilt", "PixelSpacing", "Rows", "Columns", "SamplesPerPixel",
        "PhotometricInterpretation", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation", "PixelPaddingValue", "RescaleSlope", "RescaleIntercept",
    )
}  # fmt: skip
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_ITEM = b"\xfe\xff\x00\xe0"
_UNDEFINED = 0xFFFFFFFF
_PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_UNSEEN = (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)


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
    `intercept`; `padding` is the HU of pixels that are no image, NaN where the header names none. Plainly
    stored pixels start at byte `offset`, as NumPy's type `stored` with `bits` of its 16 in use; `stored` is
    empty for any other encoding. `problem` says why the pixels cannot be used, and is empty if they can.
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
    padding: float
    stored: str
    bits: int
    offset: int
    problem: str


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
    found = _parse(file, start)
    settled = found.startswith((NO_DICOM, OTHER_MODALITY)) if isinstance(found, str) else not found.problem
    if settled or file.size <= len(start):
        return found
    with open(file.path, "rb") as stream:
        return _parse(file, stream.read(_LONGEST_BYTES))


def _parse(file: File, content: bytes) -> SliceFile | str:
    try:
        header = _Header(content)
        return _lack(header) or _slice(header, file)
    except InvalidDicomError:
        return NO_DICOM if content else "an empty file"
    except Exception as error:  # pydicom raises almost anything on bytes that only begin like a header
        return f"a damaged DICOM file ({type(error).__name__})"


class _Header:
    """Values straight from a header's bytes: letting pydicom convert them takes as long as reading them.

    `start` and `length` are the place of the pixel data in bytes, 0 where there are none.
    """

    def __init__(self, content: bytes) -> None:
        stream = io.BytesIO(content)
        self._elements = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=list(_TAGS.values()))
        self.syntax = str(self._elements.file_meta.get("TransferSyntaxUID", ""))
        self.start = self.length = 0
        self._content = content
        self._find_pixels(stream.tell())

    def text(self, name: str) -> str:
        """Returns a value as text, empty where the header lacks it."""
        return self._bytes(name).decode("latin-1").strip(" \0")

    def numbers(self, name: str) -> tuple[float, ...]:
        """Returns decimal numbers, none where one of them is no finite number."""
        return _decimals(self.text(name))

    def number(self, name: str, missing: float) -> float:
        """Returns one decimal number."""
        return (self.numbers(name) or (missing,))[0]

    def word(self, name: str, signed: bool = False) -> int:
        """Returns a 16-bit number, 0 where the header lacks it."""
        order: Literal["big", "little"] = "big" if self.syntax == ExplicitVRBigEndian else "little"
        return int.from_bytes(self._bytes(name)[:2], order, signed=signed)

    def has(self, name: str) -> bool:
        """Says whether the header has a value of this name."""
        return bool(self._bytes(name))

    def end_of_pixels(self) -> int:
        """Returns where the pixel data end at the earliest: after their first frame if they are compressed."""
        end = self.start
        if self.length != _UNDEFINED:
            return end + self.length
        for _ in ("table of offsets", "first frame"):
            if self._content[end : end + 4] == _ITEM:
                end += 8 + int.from_bytes(self._content[end + 4 : end + 8], "little")
        return end + 8  # the delimiter

    def _find_pixels(self, at: int) -> None:
        element = self._content[at : at + 12]
        if element[:4] == _PIXEL_DATA and len(element) == 12:
            skip = 8 if self.syntax == ImplicitVRLittleEndian else 12
            self.start, self.length = at + skip, int.from_bytes(element[skip - 4 : skip], "little")

    def _bytes(self, name: str) -> bytes:
        tag = _TAGS[name]
        value = self._elements.get_item(tag).value if tag in self._elements else None
        return value if isinstance(value, bytes) else b""


@functools.lru_cache(1024)
def _decimals(text: str) -> tuple[float, ...]:
    """Reads "1\\2\\3"; kept, because most slices of a scan have the same orientation and pixels."""
    try:
        values = tuple(float(part) for part in text.split("\\"))
    except ValueError:
        return ()
    return values if all(map(math.isfinite, values)) else ()


def _lack(header: _Header) -> str:
    """Says what keeps a file from being a CT slice, if anything."""
    modality = header.text("Modality")
    if modality != "CT":
        return f"{OTHER_MODALITY} {modality[:16]!a}" if modality else "a DICOM file without modality"
    for name, length in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
        if len(header.numbers(name)) != length:
            ended = not header.start and header.syntax not in _UNSEEN
            return f"a CT file {'cut short before its' if ended else 'without'} {name}"
    return "" if header.has("SeriesInstanceUID") else "a CT file without SeriesInstanceUID"


def _slice(header: _Header, file: File) -> SliceFile:
    slope, intercept = header.number("RescaleSlope", math.nan), header.number("RescaleIntercept", math.nan)
    signed = header.word("PixelRepresentation") == 1
    padding = header.word("PixelPaddingValue", signed) if header.has("PixelPaddingValue") else math.nan
    plain = header.syntax in _PLAIN
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
        slope=slope,
        intercept=intercept,
        padding=padding * slope + intercept,
        stored=("<i2" if signed else "<u2") if plain else "",
        bits=header.word("BitsStored"),
        offset=header.start,
        problem=_problem(header, file.size),
    )


def _problem(header: _Header, size: int) -> str:
    """Says why a slice's pixels cannot be used, if so; most of this SimpleITK would decode without a word."""
    if header.syntax not in _UNSEEN:
        if not header.start:
            return "has no pixel data"
        if (end := header.end_of_pixels()) > size:
            return f"is cut short: {size} of at least {end} bytes"
    if header.number("RescaleSlope", 0) == 0 or not header.numbers("RescaleIntercept"):
        return "has no rescale slope or no intercept, so its values are not in HU"
    if (photometric := header.text("PhotometricInterpretation")) != "MONOCHROME2":
        return f"has the photometric interpretation {photometric[:16]!a}, not MONOCHROME2"
    frames, samples = header.number("NumberOfFrames", 1), header.word("SamplesPerPixel")
    if (frames, samples, (bits := header.word("BitsAllocated"))) != (1, 1, 16):
        return f"has {frames:g} frames of {samples} samples of {bits} bits, not one frame of one of 16"
    bits, high = header.word("BitsStored"), header.word("HighBit")
    if not 0 < bits <= 16 or high != bits - 1:
        return f"stores {bits} bits of which the highest is number {high} of 16, not {bits - 1}"
    row, rows = 2 * header.word("Columns"), header.word("Rows")
    if header.syntax in _PLAIN and not 0 <= header.length - rows * row < max(row, 2):
        return f"holds {header.length} bytes of pixels where {rows} rows of {row} bytes are announced"
    return ""
