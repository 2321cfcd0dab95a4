import shutil

import jax
import numpy as np
import optax
import pytest
from training_cases import start

from wsns.errors import InputError
from wsns.training import checkpoints
from wsns.training import step as steps
from wsns.training.checkpoints import Position

STATE = steps.init_state({"gap5": {"kernel": np.random.default_rng(0).random((40, 30), np.float32)}} | start(),
                         optax.sgd(0.1, momentum=0.9), 3)  # fmt: skip


def state(step):
    sums = steps.no_sums() | {"loss": np.float32(step)}
    return jax.tree.map(np.asarray, STATE._replace(step=np.int32(step), sums=sums))


def saved(directory, *steps_and_scores):
    with checkpoints.open_manager(directory) as manager:
        for step, score in steps_and_scores:
            checkpoints.save(manager, state(step), Position(step // 10, step % 10, step / 2), score)
    return directory


def restored(directory):
    warnings = []
    with checkpoints.open_manager(directory) as manager:
        return (
            checkpoints.restore_latest(manager, state(0), warnings.append),
            warnings,
            set(manager.all_steps()),
        )


def assert_is(found, step):
    assert found[1] == Position(step // 10, step % 10, step / 2)
    jax.tree.map(np.testing.assert_array_equal, found[0], state(step))
    assert jax.tree.structure(found[0]) == jax.tree.structure(state(step))


def test_latest_two_and_the_best_stay(tmp_path):
    directory = saved(
        tmp_path, (5, None), (10, 0.7), (15, None), (20, 0.9), (25, None), (30, 0.8), (35, None)
    )
    found, warnings, kept = restored(directory)
    assert_is(found, 35)
    assert kept == {20, 30, 35}
    assert not warnings


def test_empty_folder_has_none(tmp_path):
    assert restored(tmp_path / "new") == (None, [], set())
    with pytest.raises(InputError, match="no checkpoint; train first"):
        checkpoints.best_params(tmp_path / "new")


def test_parameters_alone_are_restored_for_evaluation(tmp_path):
    best = checkpoints.best_params(saved(tmp_path, (10, 0.9), (20, 0.8), (25, None)))
    jax.tree.map(np.testing.assert_array_equal, best, state(10).params)


def damage(path, kind):
    content = bytearray(path.read_bytes())
    if kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "gone":
        path.unlink()
    else:
        content[len(content) // 2] ^= 16
        path.write_bytes(content)


# What orbax had still under way when one array failed complains in threads of its own.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["cut", "flipped bit", "gone"])
def test_any_damage_to_the_newest_is_harmless_or_leads_to_the_one_before(tmp_path, kind):
    """Each file of the newest checkpoint in turn; what comes back is never wrong."""
    whole = saved(tmp_path / "whole", (10, 0.9), (15, None))
    outcomes = []
    # The largest holds the arrays; files of a dozen bytes or of none are all alike.
    files = [f.relative_to(whole) for f in (whole / "15").rglob("*") if f.is_file() and f.stat().st_size > 64]
    for n, file in enumerate(sorted(files, key=lambda f: -(whole / f).stat().st_size)[:8]):
        copy = shutil.copytree(whole, tmp_path / str(n))
        damage(copy / file, kind)
        found, warnings, kept = restored(copy)
        assert_is(found, 10 if warnings else 15)
        assert kept == ({10} if warnings else {10, 15})
        assert all(f"{copy / '15'} is damaged" in warning for warning in warnings)
        outcomes.append(bool(warnings))
    assert outcomes[0]


def test_nothing_left_that_is_whole(tmp_path):
    directory = saved(tmp_path, (10, 0.9), (15, None))
    for step in (10, 15):
        shutil.rmtree(directory / str(step) / "params")
    found, warnings, kept = restored(directory)
    assert found is None
    assert len(warnings) == 2
    assert not kept


def test_damaged_best_is_refused_by_name(tmp_path):
    directory = saved(tmp_path, (10, 0.9), (20, 0.8))
    arrays = max((directory / "10" / "params").rglob("*"), key=lambda f: f.stat().st_size)
    damage(arrays, "flipped bit")
    with pytest.raises(InputError, match=r"checkpoints?.*/10 is damaged|/10 is damaged"):
        checkpoints.best_params(directory)


def test_a_checkpoint_from_before_gradient_norms_were_added_up_goes_on(tmp_path):
    now = jax.tree.map(np.asarray, STATE._replace(step=np.int32(15), sums=steps.no_sums()))
    kept = {name: np.float32(3) for name in ("loss", "examples", "score", "counted")}
    with checkpoints.open_manager(tmp_path) as manager:
        checkpoints.save(manager, now._replace(sums=kept), Position(1, 5, 7.5))
    warnings = []
    with checkpoints.open_manager(tmp_path) as manager:
        found, position = checkpoints.restore_latest(manager, now, warnings.append)
    assert not warnings
    assert position == Position(1, 5, 7.5)
    assert found.sums == kept | {"gradient_norm": 0, "steps": 0}
    jax.tree.map(np.testing.assert_array_equal, found._replace(sums={}), now._replace(sums={}))
