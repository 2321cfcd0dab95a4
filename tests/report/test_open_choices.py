from configs import table1
from wsns.report.open_choices import choices, notes


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


def test_the_unet_is_told_as_the_config_has_it():
    config = table1.get_config()
    for field, value, name, word in (
        ("slices", "nodule", "U-Net, training slices", "with a nodule only"),
        ("loss", "slice", "U-Net, loss", "each slice"),
        ("epochs", 7, "U-Net, steps", "7 epochs"),
        ("encoder", "vgg", "U-Net, network", "trunk"),
        ("group", 4, "U-Net, network", "4 channels"),
        ("bias", -1.5, "U-Net, network", "-1.5"),
    ):
        assert word not in dict(choices(config))[name]
        config.unet[field] = value
        assert word in dict(choices(config))[name]
    config.models = ("gap1",)
    assert not any(name.startswith("U-Net") for name, _ in choices(config))


def test_what_a_map_sums_to_is_told_by_its_pooling():
    told = {}
    for pool in ("mean", "sum", "lse"):
        config = table1.get_config()
        config.model.pool = pool
        told[pool] = dict(choices(config))["NAM"]
    assert "cells" in told["sum"]
    assert "does not hold" in told["lse"]
    assert len(set(told.values())) == 3


def test_heads_first_values_are_told():
    config = table1.get_config()
    assert "LeCun" in dict(choices(config))["First values of heads and classifier"]
    config.model.start = "patches"
    assert "LeCun" not in dict(choices(config))["First values of heads and classifier"]
