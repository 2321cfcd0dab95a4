"""One scan of five small slices, and what befalls it: what is done, and the right value or the answer's words.

To add a case, write a line in `READ` (read as if nothing had happened, these words among the notes) or in `REFUSED`
(one line with these words), with a function that takes the scan's folder, where slice k is the file `k.dcm`.
"""

import gzip
import os
import re
import struct
import zipfile

import numpy as np
import phantom
import pydicom
import pytest
from dicom_files import write
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from stored_slices import OUTSIDE, SIDE, stored

from wsns.data.dicom import archive as dicom
from wsns.errors import InputError

SERIES = "1.2.840.1"
SLICES = 5
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
UNSEEN_SYNTAX = "1.2.840.10008.1.2.4.203"


@pytest.fixture
def scan():
    return phantom.scan([], slices=SLICES, series=SERIES)


@pytest.fixture
def folder(tmp_path, scan):
    folder = tmp_path / "scan"
    for k in range(SLICES):
        write(folder / f"{k}.dcm", SERIES, float(scan.z[k]), pixels=stored(k), instance=k + 1)
    return folder


def _read(folder, scan):
    """Returns the volume and all notes."""
    source = dicom.open_archive(os.fspath(folder), {SERIES: scan}).only([SERIES])
    volume = source.read(SERIES)
    return volume.hu, "; ".join((*source.notes(SERIES), *volume.notes))


# What is done to a scan.


def _tags(only=None, **tags):
    """Other header elements in all slices, or in one; None removes one, and a function makes it of the slice."""

    def do(folder):
        for k in range(SLICES) if only is None else [only]:
            path = folder / f"{k}.dcm"
            data = pydicom.dcmread(path)
            for name, value in tags.items():
                if name.startswith("PixelPadding"):
                    data.add_new(name, "SS", value)
                elif value is None:
                    delattr(data, name)
                else:
                    setattr(data, name, value(data) if callable(value) else value)
            data.save_as(path, enforce_file_format=True)

    return do


def _pixels(change, only=None, **tags):
    """Other stored values: `change` gets a copy and works in place."""

    def made(data):
        stored = data.pixel_array.copy()
        change(stored)
        return stored.tobytes()

    return _tags(only, PixelData=made, **tags)


def _bytes(change, only=2):
    """Another content of one file."""

    def do(folder):
        path = folder / f"{only}.dcm"
        path.write_bytes(change(path.read_bytes()))

    return do


def _syntax(uid, written=None):
    """One file whose header names a transfer syntax, or none, and which is written in another."""

    def do(folder):
        path = folder / "2.dcm"
        if written == RLELossless:
            data = pydicom.dcmread(path)
            data.compress(RLELossless)
            data.save_as(path)
        elif written:
            data = pydicom.dcmread(path)
            data.file_meta.TransferSyntaxUID = written
            pydicom.dcmwrite(path, data, implicit_vr=True, little_endian=True)
        content = path.read_bytes()
        at = content.index(b"\x02\0\x10\0UI")
        (length,) = struct.unpack("<H", content[at + 6 : at + 8])
        name = uid.encode() + b"\0" * (len(uid) % 2)
        element = b"\x02\0\x10\0UI" + struct.pack("<H", len(name)) + name if uid else b""
        whole = struct.unpack("<I", content[140:144])[0] + len(element) - 8 - length
        path.write_bytes(
            content[:140] + struct.pack("<I", whole) + content[144:at] + element + content[at + 8 + length :]
        )

    return do


def _also(name, **options):
    """One more file in the series."""

    def do(folder):
        z = options.pop("z", -95.0)
        write(folder / name, SERIES, z, **options)

    return do


def _copy(change=lambda stored: None, name="0 copy", **tags):
    """A second file of slice 2, of the same UID and instance."""

    def do(folder):
        whole = (folder / "2.dcm").read_bytes()
        _pixels(change, 2, **tags)(folder)
        (folder / "2.dcm").rename(folder / name)
        (folder / "2.dcm").write_bytes(whole)

    return do


def _renamed(name):
    def do(folder):
        os.rename(folder / "2.dcm", os.path.join(os.fsencode(folder), name))

    return do


def _set(where, value):
    def change(stored):
        stored[where] = value

    return change


def _cut(stored):
    stored[2 * SIDE // 3 :] = 0


def _zipped(folder):
    with zipfile.ZipFile(folder / "2.zip", "w") as packed:
        packed.write(folder / "2.dcm")
    (folder / "2.dcm").unlink()


def _signed_as_unsigned_12_bits(data):
    return (data.pixel_array & 0xFFF | np.where(OUTSIDE, 63536, 0)).astype(np.uint16).tobytes()


SCREEN = {"SOPClassUID": SECONDARY_CAPTURE, "ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}
RGB = {
    "SamplesPerPixel": 3,
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "PhotometricInterpretation": "RGB",
}

READ = {
    # Padding.
    "padding named as 4095": (_pixels(_set(OUTSIDE, 4095), PixelPaddingValue=4095), ""),
    "padding named as soft tissue": (_pixels(_set(OUTSIDE, 1064), PixelPaddingValue=1064), ""),
    "padding named as a range": (
        _pixels(_set(OUTSIDE, 3000), PixelPaddingValue=3000, PixelPaddingRangeLimit=1000), ""
    ),
    "padding named as a range the other way": (
        _pixels(_set(OUTSIDE, 3000), PixelPaddingValue=1000, PixelPaddingRangeLimit=3000), ""
    ),
    "padding named beyond tissue": (_pixels(_set(OUTSIDE, 20000), PixelPaddingValue=20000), ""),
    "padding named, and another is there": (_pixels(_set(OUTSIDE, 1024), PixelPaddingValue=63536 - 65536), "has 0 HU"),
    "soft tissue named as padding, and none there": (_tags(PixelPaddingValue=1064), ""),
    "a range over all tissue named as padding": (_tags(PixelPaddingValue=-2000, PixelPaddingRangeLimit=4095), ""),
    "padding not named, at the largest value": (
        _pixels(_set(OUTSIDE, 32767), RescaleIntercept=-1024), "31,743 HU, which the header doesn't name"
    ),
    "padding not named, beyond int16": (
        _pixels(_set(OUTSIDE, -2), PixelRepresentation=1), ""
    ),
    "padding not named, at water": (_pixels(_set(OUTSIDE, 1024)), r"has 0 HU.* and 2 more"),
    "padding that 12 bits cannot hold": (
        _tags(PixelData=_signed_as_unsigned_12_bits, PixelPaddingValue=-2000, BitsStored=12, HighBit=11,
              PixelRepresentation=1), ""
    ),
    "one slice with another scale and the same values": (
        _pixels(lambda stored: np.subtract(stored, 1024, out=stored), 2, RescaleIntercept=0), ""
    ),
    # Copies of a slice.
    "a copy": (_copy(), "copies of slices are not used: .*2.dcm"),
    "a copy that is cut short": (_copy(_cut), "0 copy is not used, as it lacks rows"),
    "a copy that is cut short, later in the alphabet": (_copy(_cut, "9 copy"), "9 copy is not used, as it lacks rows"),
    "a copy of the same pixels in another header": (_copy(PatientID="other"), "copies of slices are not used"),
    "a copy with half the pixels": (_copy(Rows=SIDE // 2), "0 copy is not used, as it holds"),
    "another slice there, not sound": (
        _also("0 other", pixels=stored(9), instance=0, RescaleSlope=None), "0 other .* has no rescale"
    ),
    # Names.
    "a name in Latin-1": (_renamed(b"m\xfcller"), ""),
    "a name with a line end": (_renamed(b"a\nb"), ""),
    "a name of signs": (_renamed(b"-%d#?*[1]'\"&;$(x)\\"), ""),
    "a name as long as can be": (_renamed(b"x" * 255), ""),
    "a name of spaces": (_renamed(b"  "), ""),
    # Form.
    "no preamble": (_bytes(lambda content: content[132:]), "2.dcm has no DICOM preamble"),
    "no preamble and no file header": (
        _bytes(lambda content: content[144 + struct.unpack("<I", content[140:144])[0] :]), "has no DICOM preamble"
    ),
    "no transfer syntax": (_syntax(""), "names no transfer syntax, but is written in Explicit"),
    "no transfer syntax, implicit": (_syntax("", ImplicitVRLittleEndian), "but is written in Implicit"),
    "explicit, said to be implicit": (_syntax(ImplicitVRLittleEndian), "but is written in Explicit"),
    "implicit, said to be explicit": (
        _syntax(ExplicitVRLittleEndian, ImplicitVRLittleEndian), "but is written in Implicit"
    ),
    "plain, said to be JPEG-LS": (_syntax(JPEGLSLossless), "JPEG-LS Lossless.*, but is written in Explicit"),
    "little-endian, said to be big-endian": (_syntax(ExplicitVRBigEndian), "but is written in Explicit"),
    "plain, said to be deflated": (_syntax(DeflatedExplicitVRLittleEndian), "but is written in Explicit"),
    # Values.
    "decimal commas": (
        _bytes(lambda content: content.replace(b"0.7\\0.7", b"0,7\\0,7").replace(b"0\\0\\-95.0", b"0\\0\\-95,0")), ""
    ),
    "directions with an error": (
        _tags(ImageOrientationPatient=[0.9999, 1e-4, -1e-4, 2.05103490e-10, 0.99990001, 1e-4]), ""
    ),
    "no thickness and no instance number": (_tags(SliceThickness=None, InstanceNumber=None), ""),
    "empty instance number and tilt": (_tags(InstanceNumber="", GantryDetectorTilt=""), ""),
    "numbers with blanks": (_bytes(lambda content: content.replace(b"0\\0\\-95.0 ", b" 0\\0\\ -95 ")), ""),
    "another patient's name in many bytes": (
        _tags(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎", PatientID=" lidc "), ""
    ),
    "modality in small letters": (_bytes(lambda content: content.replace(b"CS\2\0CT", b"CS\2\0ct")), ""),
    "values of an unspecified type": (_tags(RescaleType="US"), ""),
    # Other pictures in the series.
    "a scout": (
        _also("scout", z=0.0, pixels=stored(8), ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
              ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), r"no slices, and left out: .*scout \(a localizer"
    ),
    "a scout that does not say so": (
        _also("scout", z=0.0, pixels=stored(8), ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "left out: .*not axial"
    ),
    "an axial scout between the slices": (
        _also("scout", z=-94.0, pixels=stored(8), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "left out: .*scout"
    ),
    "a screen save in a slice's place": (_also("0", pixels=stored(8), instance=0, **SCREEN), "0 .* is not used"),
    "a coloured screen save": (
        _also("0", instance=0, pixels=stored(8), PixelData=bytes(3 * SIDE * SIDE), **SCREEN, **RGB), "0 .* is not used"
    ),
    "a screen save without a place": (
        _also("0", ImagePositionPatient=None, **SCREEN), r"left out: .*0 \(a secondary capture \(screen save"
    ),
    "slices that are secondary captures": (_tags(SOPClassUID=SECONDARY_CAPTURE), ""),
    "one slice turned, and once more as it is": (
        _also("0", pixels=stored(8), ImageOrientationPatient=[-1, 0, 0, 0, -1, 0]), "left out: .*turned"
    ),
}  # fmt: skip

REFUSED = {
    "rows that are lost": (_pixels(_cut, 2), r"2.dcm has one value in all of 16 rows, from row 43 on"),
    "rows that are lost from two slices": (
        lambda folder: [_pixels(_cut, k)(folder) for k in (1, 2)], r"1.dcm has .* \(2 such slices in all\)"
    ),
    "rows that are lost amid a slice": (_pixels(_set(slice(20, 40), -2000), 4), "4.dcm has one value in all of 20"),
    "an empty slice": (_pixels(_set(slice(None), 1024), 0), "0.dcm has one value in all of .* rows"),
    "two copies that differ": (
        _copy(_set((30, 30), 5000)), "0 copy and .*2.dcm are one slice .* different pixels, .* move the wrong one"
    ),
    "two copies in other units": (_copy(RescaleIntercept=0), "are one slice .* different pixels"),
    "compressed, said to be plain": (
        _syntax(ExplicitVRLittleEndian, RLELossless), "has compressed pixels, but its header calls them Explicit"
    ),
    "compressed, nothing said": (_syntax("", RLELossless), "has compressed pixels, but its header names no transfer"),
    "an encoding that is not read": (
        _syntax(UNSEEN_SYNTAX, RLELossless), f"encoding .*({re.escape(UNSEEN_SYNTAX)}|High).* not read here: decompress"
    ),
    "a zip in a slice's place": (_zipped, r"2.zip is a packed file \(ZIP\): unpack it"),
    "a gz in a slice's place": (_bytes(gzip.compress), r"2.dcm is a packed file \(gzip\): unpack it"),
    "empty rescale": (_tags(2, RescaleSlope="", RescaleIntercept=""), "2.dcm has no rescale slope or no intercept"),
    "values of another type": (_tags(RescaleType="Z_EFF"), "0.dcm has values of the type 'Z_EFF', not HU"),
    "no word on the sign": (_tags(2, PixelRepresentation=None), "2.dcm does not say whether its values are signed"),
    "a sign of 2": (_tags(2, PixelRepresentation=2), "2.dcm does not say whether its values are signed"),
    "several slopes": (_tags(2, RescaleSlope=[1, 2]), "2.dcm has no rescale slope or no intercept"),
    "one slice in other units": (_tags(2, RescaleIntercept=0), "2.dcm has .* intercept 0, unlike the other slices"),
    "two slices in other units": (
        lambda folder: [_tags(k, RescaleSlope=3)(folder) for k in (1, 4)], r"1.dcm has .* slope 3 .* \(2 such slices"
    ),
    "negative spacing": (_tags(2, PixelSpacing=[-0.7, 0.7]), "2.dcm: pixels of -0.7 × 0.7 mm, not 0.7"),
    "spacing in words": (
        _bytes(lambda content: content.replace(b"0.7\\0.7 ", b"a lot   ")), "2.dcm is .* whose PixelSpacing is 'a lot'"
    ),
    "a slice turned": (_tags(2, ImageOrientationPatient=[-1, 0, 0, 0, -1, 0]), "2.dcm: turned in another way"),
    "a scout in a slice's place": (
        _tags(2, ImageOrientationPatient=[1, 0, 0, 0, 0, -1], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "1 of its 5 slices missing.*2.dcm is a localizer",
    ),
    "an enhanced CT": (_tags(2, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1"), "2.dcm is an enhanced CT.*convert"),
    "a name in Latin-1 without a slice": (
        lambda folder: (_bytes(lambda _: b"junk")(folder), _renamed(b"m\xfcller")(folder)), r"m\\xfcller is not a DICOM"
    ),
    "a name with a line end without a slice": (
        lambda folder: (_bytes(lambda _: b"junk")(folder), _renamed(b"a\nb")(folder)), r"a\\nb is not a DICOM"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_read_as_it_is(folder, scan, case):
    do, note = READ[case]
    before, none = _read(folder, scan)
    assert none == ""
    do(folder)
    hu, notes = _read(folder, scan)
    assert re.search(note, notes) if note else not notes, notes
    assert "\n" not in notes
    notes.encode()
    np.testing.assert_array_equal(hu, before)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(folder, scan, case):
    do, words = REFUSED[case]
    do(folder)
    with pytest.raises(InputError, match=words) as error:
        _read(folder, scan)
    message = str(error.value)
    assert "\n" not in message
    message.encode()
    assert re.search("ownload|move the wrong one|unpack it|decompress it", message)


def test_pixels_brighter_than_any_metal_are_told(folder, scan):
    _pixels(_set((30, 30), 32767), 3)(folder)
    hu, notes = _read(folder, scan)
    assert hu[3, 30, 30] == 31743
    assert re.search("more than 30,000 HU.*3.dcm", notes)
