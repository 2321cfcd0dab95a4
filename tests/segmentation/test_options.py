import dataclasses

import pytest

from configs import table1
from wsns.errors import InputError
from wsns.segmentation.options import Options


def test_the_config_has_every_threshold_with_its_default():
    assert Options(**table1.get_config().segment.to_dict()) == Options()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("detect", 1.5),
        ("tau", -0.1),
        ("reach", float("nan")),
        ("sigma", -1.0),
        ("beta", float("nan")),
        ("min_area", -1.0),
        ("sweeps", 0),
        ("batch", 0),
        ("max_candidates", 0),
        ("means", (-900.0,)),
        ("means", (-200.0, -900.0)),
        ("openings", ()),
        ("openings", (1.5, -1.0)),
        ("fill", "nonsense"),
        ("outline", "nonsense"),
        ("candidates", "nonsense"),
        ("contrast", "nonsense"),
        ("tau", "a"),
        ("means", ("a", "b")),
        ("openings", 1.5),
        ("sweeps", 2.5),
        ("screening", "nonsense"),
    ],
)
def test_a_value_that_no_run_can_have_is_refused_by_its_field(field, value):
    with pytest.raises(InputError, match=f"config.segment.{field}="):
        dataclasses.replace(Options(), **{field: value})
