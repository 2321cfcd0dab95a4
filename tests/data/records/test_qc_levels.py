import dataclasses

import pytest

from wsns.data.records.extract import ScanFacts
from wsns.data.records.qc_levels import FINE, MINOR, MUST, RULES, level, signs

SCAN = ScanFacts("1.2", "P", 100, 5, 5, 0, 0, 0, 0, 1000, 0, 0, 0.0, (2000.0, 1900.0), ())


def level_of(**facts):
    return level(signs(dataclasses.replace(SCAN, **facts)))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, FINE),
        ({"outside_crop": 1}, MINOR),
        ({"outside_crop": 49}, MINOR),
        ({"outside_crop": 50}, MUST),
        ({"outside_hull": 20}, FINE),
        ({"outside_hull": 21}, MINOR),
        ({"outside_hull": 249}, MINOR),
        ({"outside_hull": 250}, MUST),
        ({"lung_outside_crop": 0.03}, FINE),
        ({"lung_outside_crop": 0.031}, MINOR),
        ({"lung_outside_crop": 0.1}, MUST),
        ({"warnings": ("Lung 1 is missing.",)}, MUST),
        ({"notes": ("copies are not used",)}, MINOR),
        ({"right": "right"}, MINOR),
        ({"right": "left"}, FINE),
        ({"voxels": 0}, FINE),
    ],
)
def test_a_scan_has_the_level_of_its_rule(facts, expected):
    assert level_of(**facts) == expected
    assert expected in RULES


def test_the_worst_sign_comes_first_and_settles_the_level():
    found = signs(
        dataclasses.replace(
            SCAN, outside_crop=60, outside_hull=100, lung_outside_crop=0.3, warnings=("Cut.",), notes=("x",)
        )
    )
    assert [sign.level for sign in found] == [MUST, MUST, MUST, MINOR, MINOR]
    assert found[0].text == "Cut."
    assert "30.0 %" in found[1].text
    assert level(found) == MUST
