"""Any stored order leads to the same axial slices, and back to the same voxels."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from wsns.data.images.grid import Grid, axial_order
from wsns.errors import InputError

SIZE = (7, 6, 5)
ORDERS = [
    (axes, flips)
    for axes in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


def grid(axes, flips, size=SIZE):
    """A grid whose stored axis `axes[n]` runs along the patient's axis n."""
    direction = np.zeros((3, 3))
    for n, (axis, flip) in enumerate(zip(axes, flips)):
        direction[n, axis] = -1 if flip else 1
    return Grid(size, np.array([0.5, 0.75, 2.0]), np.array([-10.0, 20.0, 30.0]), direction)


@pytest.mark.parametrize(("axes", "flips"), ORDERS)
def test_every_order_is_undone_and_slices_run_to_the_head_the_back_and_the_left(axes, flips):
    made = grid(axes, flips)
    order = axial_order(made)
    assert (order.axes, order.flips) == (axes, flips)
    stored = np.arange(np.prod(SIZE)).reshape(SIZE[::-1])
    axial = order.to_axial(stored)
    np.testing.assert_array_equal(order.from_axial(axial), stored)
    where = np.stack(np.meshgrid(*(range(n) for n in axial.shape[::-1]), indexing="ij"), axis=-1)  # x, y, z
    index = order.index(where, SIZE)
    np.testing.assert_array_equal(
        axial[where[..., 2], where[..., 1], where[..., 0]],
        stored[tuple(index[..., n].astype(int) for n in (2, 1, 0))],
    )
    position = made.position(index)
    for n in range(3):
        assert (np.diff(position[..., n], axis=n) > 0).all()


@pytest.mark.parametrize(("axes", "flips"), ORDERS[::7])
def test_positions_are_those_of_simpleitk(axes, flips):
    made = grid(axes, flips)
    image = sitk.Image(*SIZE, sitk.sitkUInt8)
    image.SetSpacing(made.spacing.tolist())
    image.SetOrigin(made.origin.tolist())
    image.SetDirection(made.direction.ravel().tolist())
    for index in [(0, 0, 0), (6, 5, 4), (2, 3, 1)]:
        expected = image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(made.position(np.array(index)), expected)
        np.testing.assert_allclose((made.affine() @ [*index, 1])[:3], expected)


def turned(degrees):
    angle = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    straight = grid((0, 1, 2), (False, False, False))
    return Grid(SIZE, straight.spacing, straight.origin, turn)


def test_slices_aslant_are_refused_unless_they_are_wanted():
    axial_order(turned(0.3))
    with pytest.raises(InputError, match=r"aslant, by 12\.0° .*predict\.allow=oblique"):
        axial_order(turned(12))
    assert axial_order(turned(12), oblique=True) == axial_order(turned(0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"direction": np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1.0]])}, "right angles"),
        ({"direction": np.zeros((3, 3))}, "right angles"),
        ({"spacing": np.array([0.5, 0.0, 2.0])}, "spacing"),
        ({"origin": np.array([0, np.nan, 0])}, "origin"),
    ],
)
def test_what_is_no_grid_is_refused(change, words):
    straight = grid((0, 1, 2), (False, False, False))
    fields = {name: getattr(straight, name) for name in ("size", "spacing", "origin", "direction")} | change
    with pytest.raises(InputError, match=words):
        axial_order(Grid(**fields))
