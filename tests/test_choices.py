from configs import table1
from wsns.tasks.choices import choices


def test_the_reading_is_told_in_full():
    config = table1.get_config()
    told = dict(choices(config))["Reference"]
    assert (
        told
        == "staple of the readers; at least 2 overlap in the slice; the line itself does not belong to the nodule"
    )
    config.data.update(
        {"agreement": 1, "agreement_share": 0.5, "min_readers": 3, "contour": "inside", "single_contours": False,
         "one_scan_per_patient": True, "consensus": "majority"}
    )  # fmt: skip
    assert dict(choices(config))["Reference"] == (
        "majority of the readers; at least 1 overlap in the slice, and 50 % of those who marked the nodule, who are at "
        "least 3; the line itself belongs to the nodule; annotations of a single contour are left out; one scan per "
        "patient"
    )
