"""Nodules as DICOM: a segmentation (SEG) and its measures (SR, TID 1500), for archives and viewers of any maker."""

import dataclasses
import datetime
import pathlib
from collections.abc import Sequence
from typing import Any

import highdicom as hd
import numpy as np
from highdicom import seg as hd_seg
from highdicom import sr as hd_sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.valuerep import DT

import wsns
from wsns.data.images.ct import ChestCT
from wsns.errors import InputError
from wsns.evaluation.nodule_size import Measured
from wsns.export.source_headers import quietly, read_sources
from wsns.export.uids import content_of, derived_uid
from wsns.export.volumes import colour, whole

NAME = "wsns"
SCHEME = "99WSNS"
"""Of the codes that DICOM doesn't have; '99' marks such a scheme as a maker's own."""
SCORE = hd_sr.CodedConcept("wsns-score", SCHEME, "Nodule score")
SERIES_NUMBERS = {"seg": 9001, "sr": 9002}
LATERALITY = {"left": codes.SCT.Left, "right": codes.SCT.Right}


@dataclasses.dataclass(frozen=True)
class Nodule:
    """What is told of a nodule: its measures, its `score` (a finite number), and in which lung it lies, the patient's
    'left' or 'right'; '' where it isn't known.
    """

    measured: Measured
    score: float
    side: str = ""


def write_seg(
    path: pathlib.Path,
    labels: np.ndarray,
    nodules: Sequence[Nodule],
    ct: ChestCT,
    *,
    when: datetime.datetime,
    omit_empty_frames: bool = True,
) -> hd_seg.Segmentation:
    """Writes the nodules as a binary segmentation, one segment for each, on the pixels of the scan's own slices.

    A missing slice, for which another one stands, can't be referred to: what lies in it is left out. The same scan and
    nodules give the same UIDs.

    Args:
        path: of the file.
        labels: (Z, Y, X), 0 or a nodule's number from 1; none is missing.
        nodules: by number. A scan without any has no segmentation: nothing is to be written then.
        ct: the scan, of a DICOM series.
        when: it was made.
        omit_empty_frames: only slices of a nodule are stored; else all for each.

    Returns:
        What was written.

    Raises:
        InputError: if the scan's headers can't be referred to, or all nodules lie in missing slices.
        ValueError: if there is no nodule, or labels and nodules aren't of the same number.
    """
    if not nodules or labels.max() != len(nodules):
        raise ValueError(
            f"{len(nodules)} nodules for labels up to {labels.max()}: there must be one for each"
        )
    stored = ct.order.from_axial(labels)[[k for k, file in enumerate(ct.files) if file]]
    sources = read_sources(ct)
    if not stored.any():
        raise InputError(
            f"series {ct.series}: all its nodules lie in missing slices, so no slice can be referred to"
        )
    scan = (ct.series, content_of(labels))
    with quietly():
        made = hd_seg.Segmentation(
            source_images=sources,
            pixel_array=stored.astype(np.uint16, copy=False),
            segmentation_type=hd_seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[_segment(n, scan) for n in range(1, len(nodules) + 1)],
            omit_empty_frames=omit_empty_frames,
            content_label="NODULES",
            content_description="Pulmonary nodules",
            content_creator_name="",
            **_instance("seg", scan, nodules, when),
        )
    organisation = derived_uid(*scan, "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
    _finish(made, when)
    _write(path, made)
    return made


def write_sr(
    path: pathlib.Path, seg: Dataset, nodules: Sequence[Nodule], *, when: datetime.datetime
) -> hd_sr.Comprehensive3DSR:
    """Writes the nodules' measures as a structured report that refers to the segments.

    Volume in mm3, long and short axis in mm, mean HU, and the score; a preliminary, unverified report.

    Args:
        path: of the file.
        seg: the segmentation, as `write_seg` returned it or `highdicom.seg.segread` reads it.
        nodules: by number.
        when: it was made.

    Returns:
        What was written.

    Raises:
        ValueError: if segments and nodules aren't of the same number.
    """
    with quietly():
        report = hd_sr.MeasurementReport(
            observation_context=hd_sr.ObservationContext(observer_device_context=_device()),
            procedure_reported=codes.cid100.CTUnspecifiedBodyRegion,
            imaging_measurements=[
                _measurements(seg, segment, nodule)
                for segment, nodule in zip(seg.SegmentSequence, nodules, strict=True)
            ],
            title=codes.DCM.ImagingMeasurementReport,
        )
        made = hd_sr.Comprehensive3DSR(
            evidence=[seg, *_images(seg)],
            content=report,
            is_complete=True,
            coding_schemes=[hd.coding_schemes.CodingSchemeIdentificationItem(SCHEME, name=NAME)],
            **_instance("sr", (seg.SOPInstanceUID,), nodules, when),
        )
    _finish(made, when)
    _write(path, made)
    return made


def _segment(number: int, scan: Sequence[str]) -> hd_seg.SegmentDescription:
    red, green, blue = (255 * part for part in colour(number - 1))
    return hd_seg.SegmentDescription(
        segment_number=number,
        segment_label=f"Nodule {number}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Nodule,
        algorithm_type=hd_seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            NAME, codes.cid7162.ArtificialIntelligence, wsns.VERSION
        ),
        tracking_uid=derived_uid(*scan, f"nodule {number}"),
        tracking_id=f"nodule {number}",
        anatomic_regions=[codes.SCT.Lung],
        display_color=hd.color.CIELabColor.from_rgb(red, green, blue),
    )


def _measurements(
    seg: Dataset, segment: Dataset, nodule: Nodule
) -> hd_sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    measured, units = nodule.measured, codes.UCUM
    return hd_sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd_sr.TrackingIdentifier(segment.TrackingUID, segment.TrackingID),
        referenced_segment=_reference(seg, segment.SegmentNumber),
        finding_category=codes.SCT.MorphologicallyAbnormalStructure,
        finding_type=codes.SCT.Nodule,
        finding_sites=[hd_sr.FindingSite(codes.SCT.Lung, laterality=LATERALITY.get(nodule.side))],
        algorithm_id=hd_sr.AlgorithmIdentification(NAME, wsns.VERSION),
        measurements=[
            hd_sr.Measurement(codes.SCT.Volume, measured.volume_mm3, units.CubicMillimeter),
            hd_sr.Measurement(codes.SCT.LongAxis, measured.long_axis_mm, units.Millimeter),
            hd_sr.Measurement(codes.SCT.ShortAxis, measured.short_axis_mm, units.Millimeter),
            hd_sr.Measurement(
                codes.DCM.AttenuationCoefficient,
                measured.mean_hu,
                units.HounsfieldUnit,
                derivation=codes.SCT.Mean,
            ),
            hd_sr.Measurement(SCORE, float(nodule.score), units.NoUnits),
        ],
    )


def _reference(seg: Dataset, number: int) -> hd_sr.ReferencedSegment:
    """Returns what points at a segment and its slices; at the whole series for one that lies in missing slices only."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    images = {
        (image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID): None
        for frame in seg.PerFrameFunctionalGroupsSequence
        if _segment_number(frame, shared) == number
        for derivation in frame.DerivationImageSequence
        for image in derivation.SourceImageSequence
    }
    series = hd_sr.SourceSeriesForSegmentation(seg.ReferencedSeriesSequence[0].SeriesInstanceUID)
    return hd_sr.ReferencedSegment(
        seg.SOPClassUID,
        seg.SOPInstanceUID,
        number,
        source_images=[hd_sr.SourceImageForSegmentation(*image) for image in images] or None,
        source_series=None if images else series,
    )


def _segment_number(frame: Dataset, shared: Dataset) -> int:
    """Returns of which segment a frame is; the number of a single one stands with what all frames share.

    There highdicom's own `ReferencedSegment.from_segmentation` doesn't look for it.
    """
    owner = frame if "SegmentIdentificationSequence" in frame else shared
    return int(owner.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _images(seg: Dataset) -> list[Dataset]:
    """Returns what refers to the slices of the scan: all of them were searched."""
    made = []
    for series in seg.ReferencedSeriesSequence:
        for image in series.ReferencedInstanceSequence:
            one = Dataset()
            one.StudyInstanceUID, one.SeriesInstanceUID = seg.StudyInstanceUID, series.SeriesInstanceUID
            one.SOPClassUID, one.SOPInstanceUID = image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID
            made.append(one)
    return made


def _device() -> hd_sr.ObserverContext:
    return hd_sr.ObserverContext(
        codes.DCM.Device,
        hd_sr.DeviceObserverIdentifyingAttributes(
            derived_uid(NAME, wsns.VERSION), name=NAME, manufacturer_name=NAME, model_name=NAME
        ),
    )


def _instance(
    kind: str, scan: Sequence[str], nodules: Sequence[Nodule], when: datetime.datetime
) -> dict[str, Any]:
    """Returns what the file and its series are called and who made them; other content has other UIDs."""
    content = (*scan, repr(tuple(nodules)), wsns.VERSION, kind)
    return {
        "series_instance_uid": derived_uid(*content, "series"),
        "sop_instance_uid": derived_uid(*content, "file"),
        "series_number": SERIES_NUMBERS[kind],
        "instance_number": 1,
        "series_description": f"Nodules by {NAME} ({kind.upper()})",
        "manufacturer": NAME,
        "manufacturer_model_name": NAME,
        "software_versions": wsns.VERSION,
        "device_serial_number": wsns.VERSION,
        "content_date": when.date(),
        "content_time": when.time(),
    }


def _finish(made: Dataset, when: datetime.datetime) -> None:
    """Puts the time that was given where highdicom has put that of its own clock."""
    made.InstanceCreationDate, made.InstanceCreationTime = made.ContentDate, made.ContentTime
    for item in made.ContributingEquipmentSequence:
        item.ContributionDateTime = DT(when)


def _write(path: pathlib.Path, made: Dataset) -> None:
    with whole(path) as temporary, quietly():
        made.save_as(temporary, enforce_file_format=True)
