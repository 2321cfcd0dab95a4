"""One DICOM file's elements, from its bytes, in whatever encoding they really are."""

import functools
import io
import math
from typing import Literal

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
UNSEEN = (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
COMPRESSED = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, JPEG2000, JPEG2000Lossless, RLELossless)
_SWAPPED_PIXELS = "1.2.840.113619.5.2"  # GE's own: all in little-endian order but the pixels
_TAGS = {
    name: Tag(name)
    for name in (
        "SOPClassUID", "ImageType", "Modality", "SeriesInstanceUID", "SOPInstanceUID", "InstanceNumber",
        "ImagePositionPatient", "ImageOrientationPatient", "GantryDetectorTilt", "PixelSpacing", "Rows", "Columns",
        "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept",
        "RescaleType",
    )
}  # fmt: skip
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_ITEM = b"\xfe\xff\x00\xe0"
_LONG = (b"OW", b"OB", b"UN")  # as the length of an implicit element they would be odd, which none is
_UNDEFINED = 0xFFFFFFFF
_PREFIX = 132
_GROUPS = (b"\x02\x00", b"\x08\x00")  # that a file without preamble may begin with


class Elements:
    """Values straight from a header's bytes: letting pydicom convert them takes as long as reading them.

    `said` is the transfer syntax in the header, `syntax` the one that the bytes have, as far as they show it; `start`
    and `length` are the place of the pixel data in bytes, 0 where there are none; `remark` says what of the file's
    form is not as it must be, and yet could be read.

    Raises:
        pydicom.errors.InvalidDicomError: if the content is no DICOM file.
        Exception: almost any other, on bytes that only begin like one.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        bare = content[128:_PREFIX] != b"DICM"
        if bare and content[:2] not in _GROUPS:
            raise InvalidDicomError
        self._at = 0
        self._elements, after = self._read(bare)
        self.said = str(self._elements.file_meta.get("TransferSyntaxUID", "")).strip()
        self.syntax = self.said
        self.start = self.length = 0
        self._find_pixels(self._at + after)
        self.remark = "has no DICOM preamble" if bare else ""
        if self.syntax != self.said and (self.said or not bare):
            named = (
                f"names the transfer syntax {name_of(self.said)}" if self.said else "names no transfer syntax"
            )
            self.remark = f"{named}, but is written in {name_of(self.syntax)}"
        if bare and not self.has("SeriesInstanceUID"):
            raise InvalidDicomError

    @property
    def unnamed(self) -> bool:
        """Whether the pixels are compressed in a way that the header does not name."""
        return self.length == _UNDEFINED and self.said in ("", *PLAIN, *UNSEEN)

    def text(self, name: str) -> str:
        """Returns a value as text, empty where the header lacks it."""
        return self._bytes(name).decode("latin-1").strip(" \0")

    def numbers(self, name: str) -> tuple[float, ...]:
        """Returns decimal numbers, none where one of them is no finite number."""
        return _decimals(self.text(name))

    def number(self, name: str, missing: float) -> float:
        """Returns one decimal number, or `missing` where there is none, or several."""
        found = self.numbers(name)
        return found[0] if len(found) == 1 else missing

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

    def _read(self, bare: bool) -> tuple[pydicom.FileDataset, int]:
        """Returns the elements and where they end; without heed of the transfer syntax where that one can't be."""
        try:
            found, end = _elements(self._content, bare)
            if (
                bare
                or Tag("SeriesInstanceUID") in found
                or found.file_meta.get("TransferSyntaxUID") not in UNSEEN
            ):
                return found, end
        except Exception:
            if bare:
                raise
        start = _PREFIX + 12 + int.from_bytes(self._content[_PREFIX + 8 : _PREFIX + 12], "little")
        if (
            self._content[_PREFIX : _PREFIX + 4] != b"\x02\0\0\0"
            or self._content[start : start + 2] != _GROUPS[1]
        ):
            return _elements(self._content, bare)
        self._at = start
        return _elements(self._content[start:], True)

    def _find_pixels(self, at: int) -> None:
        element = self._content[at : at + 12]
        if element[:4] != _PIXEL_DATA or len(element) < 12:
            return
        explicit = element[4:6] in _LONG
        skip = 12 if explicit else 8
        self.start, self.length = at + skip, int.from_bytes(element[skip - 4 : skip], "little")
        if self.length != _UNDEFINED and self.said != _SWAPPED_PIXELS:
            self.syntax = str(ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian)

    def _bytes(self, name: str) -> bytes:
        tag = _TAGS[name]
        value = self._elements.get_item(tag).value if tag in self._elements else None
        return value if isinstance(value, bytes) else b""


def name_of(syntax: str) -> str:
    """Returns a transfer syntax as DICOM's own list names it, or its UID."""
    return UID(syntax).name[:64]


def _elements(content: bytes, bare: bool) -> tuple[pydicom.FileDataset, int]:
    stream = io.BytesIO(content)
    tags = list(_TAGS.values())
    found = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=tags, force=bare)
    return found, stream.tell()


@functools.lru_cache(1024)
def _decimals(text: str) -> tuple[float, ...]:
    """Reads "1\\2\\3", or "1,5\\2,5" as some countries' programs write it.

    Kept, because most slices of a scan have the same orientation and pixels.
    """
    try:
        values = tuple(float(part.replace(",", ".")) for part in text.split("\\"))
    except ValueError:
        return ()
    return values if all(map(math.isfinite, values)) else ()
