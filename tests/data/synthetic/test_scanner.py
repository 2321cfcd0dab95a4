import dataclasses

import numpy as np
import pytest

from wsns.data.synthetic import scanner
from wsns.errors import InputError

FIELDS = [field.name for field in dataclasses.fields(scanner.Appearance)]
NOTHING = scanner.Appearance(noise=0.0, grain=0.0, streaks=0.0, sharpness=0.0, scale=1.0, offset=0.0)


def _noise(grain: float) -> np.ndarray:
    return scanner.noise(np.random.default_rng(0), (400, 500), 20.0, grain)


@pytest.mark.parametrize("grain", [0.0, 0.2, 0.35, 0.6])
def test_noise_has_the_wanted_sd_and_correlation(grain: float):
    noise = _noise(grain)
    assert noise.shape == (400, 500)
    assert noise.std() == pytest.approx(20.0, rel=0.02)
    for one, other in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] == pytest.approx(grain, abs=0.015)
    assert abs(np.corrcoef(noise[3:].ravel(), noise[:-3].ravel())[0, 1]) < 0.015


def test_streaks_run_along_the_rows_and_have_the_wanted_sd():
    made = [scanner.streaks(np.random.default_rng(n), (256, 256), 10.0) for n in range(8)]
    assert np.mean([streaks.std() for streaks in made]) == pytest.approx(10.0, rel=0.1)
    along = np.mean([np.abs(np.diff(streaks, axis=1)).mean() for streaks in made])
    across = np.mean([np.abs(np.diff(streaks, axis=0)).mean() for streaks in made])
    assert across > 3 * along


def test_without_any_of_it_a_slice_stays_as_it_is():
    hu = np.random.default_rng(0).normal(-500, 300, (32, 32)).astype(np.float32)
    np.testing.assert_array_equal(scanner.develop(np.random.default_rng(0), hu, NOTHING), hu)


def test_sharpening_raises_and_blurring_lowers_a_point_and_neither_changes_what_is_flat():
    hu = np.full((9, 9), -800.0, np.float32)
    hu[4, 4] = 0
    sharp, soft = (
        scanner.develop(np.random.default_rng(0), hu, dataclasses.replace(NOTHING, sharpness=s))
        for s in (0.2, -0.2)
    )
    assert sharp[4, 4] > 0 > soft[4, 4]
    assert sharp[4, 5] < -800 < soft[4, 5]
    for made in (sharp, soft):
        np.testing.assert_allclose(made[:2], -800, atol=1e-3)
        assert made.mean() == pytest.approx(hu.mean(), abs=1e-3)


def test_scale_and_offset_are_those_of_hounsfield_units_above_air():
    hu = np.array([[-1000.0, 0.0]], np.float32)
    made = scanner.develop(
        np.random.default_rng(0), hu, dataclasses.replace(NOTHING, scale=1.05, offset=-10.0)
    )
    np.testing.assert_allclose(made, [[-1010, 40]], atol=1e-3)


def test_draws_lie_in_their_ranges_and_differ():
    ranges = scanner.Ranges()
    rng = np.random.default_rng(0)
    looks = [scanner.draw(rng, ranges) for _ in range(300)]
    for name in FIELDS:
        low, high = getattr(ranges, name)
        values = [getattr(look, name) for look in looks]
        assert low <= min(values) < low + 0.1 * (high - low) + 1
        assert high >= max(values) > high - 0.1 * (high - low)
    noises = np.log([look.noise for look in looks])
    assert np.median(noises) == pytest.approx(np.mean(np.log(ranges.noise)), abs=0.2)


def test_a_fixed_scanner_is_the_same_each_time_and_takes_as_many_random_numbers():
    rng, other = np.random.default_rng(0), np.random.default_rng(0)
    fixed = [scanner.draw(rng, scanner.FIXED) for _ in range(2)]
    assert fixed[0] == fixed[1]
    assert fixed[0].noise == pytest.approx(scanner.FIXED.noise[0])
    for _ in range(2):
        scanner.draw(other, scanner.Ranges())
    assert rng.random() == other.random()


@pytest.mark.parametrize(
    ("field", "value"),
    [("noise", (9.0, 5.0)), ("grain", (0.0, 0.9)), ("scale", (0.0, 1.0)), ("noise", (0.0, 4.0))],
)
def test_an_impossible_range_is_one_line_with_its_field(field: str, value: tuple[float, float]):
    with pytest.raises(InputError, match=rf"config\.data\.twin\.{field} is \({value[0]:g}, {value[1]:g}\)"):
        scanner.Ranges(**{field: value})


def test_config_says_whether_scanners_differ():
    config = dataclasses.asdict(scanner.RANDOMISED) | {"noise": [5.0, 6.0]}
    made = scanner.from_config(config)
    assert made == dataclasses.replace(scanner.RANDOMISED, noise=(5.0, 6.0))
    fixed = scanner.from_config(config | {"randomised": False})
    looks = [scanner.draw(np.random.default_rng(1), ranges) for ranges in (fixed, scanner.FIXED)]
    assert looks[0] == looks[1]
