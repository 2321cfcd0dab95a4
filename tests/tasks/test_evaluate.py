from wsns.report.open_choices import choices, notes
from wsns.report.page import SplitCount
from wsns.tasks.evaluate import count_splits


def test_splits_are_counted_by_patient_scan_and_label():
    rows = [
        {"patient": "A", "series": "1", "split": "train", "label": "1"},
        {"patient": "A", "series": "2", "split": "train", "label": "0"},
        {"patient": "B", "series": "3", "split": "test", "label": "1"},
    ]
    assert count_splits(rows) == [
        SplitCount("train", 1, 2, 1, 1),
        SplitCount("validation", 0, 0, 0, 0),
        SplitCount("test", 1, 1, 1, 0),
        SplitCount("all", 2, 3, 2, 1),
    ]


def test_choices_follow_the_config():
    from configs import demo, table1

    config = table1.get_config()
    said = dict(choices(config))
    assert said["Global pooling"] == "mean"
    assert "-900, -700, -600, -200 HU" in said["Phases"]
    assert notes(config) == []
    config.segment.outline = "eq4"
    assert "Eq. 4" in dict(choices(config))["Outline"]
    assert "0.125 of VGG16's width" in notes(demo.get_config())[0]
