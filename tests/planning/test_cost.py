import pytest

from wsns.planning import cost


def test_an_epoch_trains_at_three_passes_and_validates_at_one():
    # One 3×3 convolution of 4 to 8 channels on 10 × 10 pixels: 2 · 9 · 4 · 8 · 100 operations.
    assert cost.epoch_flops(57_600, training=5, validation=2) == 57_600 * 17


def test_portions_worth_trying():
    assert cost.portions(30) == [1, 2, 3, 4, 5, 6, 8, 10, 15, 30]
    assert cost.portions(30, devices=8) == [1, 2, 4]
    assert cost.portions(1) == [1]


@pytest.mark.parametrize("batch", [1, 2, 20, 30, 31])
def test_fewest_portions_are_those_of_a_search_one_by_one(batch):
    choices = cost.portions(batch)
    for room in range(batch + 2):
        asked = []

        def fits(portions, room=room, asked=asked):
            asked.append(portions)
            return -(-batch // portions) <= room

        wanted = next((n for n in choices if -(-batch // n) <= room), None)
        assert cost.fewest(fits, choices) == wanted
        assert len(asked) <= 6
