from configs import table1
from wsns.tasks.choices import choices, notes


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


def test_the_reference_says_what_staple_of_two_readers_is():
    config = table1.get_config()
    counts = {"nodules_of_two_readers": 40, "nodules_of_two_readers_as_intersection": 33}
    assert "33 of the 40 nodules" in dict(choices(config, counts))["Reference"]
    config.data.consensus = "majority"
    assert "intersection" not in dict(choices(config, counts))["Reference"]


def test_a_small_or_half_precise_network_is_noted():
    config = table1.get_config()
    assert notes(config) == []
    config.model.width, config.model.dtype = 0.125, "bfloat16"
    small, half = notes(config)
    assert "0.125 of VGG16's width" in small
    assert half == "The networks compute in bfloat16; their parameters are float32."


def test_a_choice_that_took_outlines_is_noted():
    config = table1.get_config()
    config.train.choose = "hit"
    (noted,) = notes(config)
    assert "within 5 mm of a nodule of the validation split" in noted
    assert "slice labels alone does not have" in noted
