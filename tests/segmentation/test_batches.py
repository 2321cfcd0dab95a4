import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wsns.segmentation.batches import blocks, in_chunks, padded


def test_blocks_cover_all_rows_once():
    assert [b.indices(7)[:2] for b in blocks(7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert list(blocks(0, 3)) == []


def test_padding_is_zero():
    np.testing.assert_array_equal(padded(np.array([[1, 2]]), 2), [[1, 2], [0, 0]])


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7, 8])
def test_chunks_map_every_row_that_counts_and_no_chunk_more(count):
    values, scales = np.arange(8.0, dtype=np.float32), np.full(8, 10, np.float32)
    compiled = []

    @jax.jit
    def mapped(rows, number):
        compiled.append(1)
        return in_chunks(lambda value, scale: value * scale + 1, rows, number, 4)

    found = mapped((values, scales), jnp.int32(count))
    done = -(-count // 4) * 4
    np.testing.assert_array_equal(found, np.where(np.arange(8) < done, 10 * values + 1, 0))
    mapped((values, scales), jnp.int32(2))
    assert len(compiled) == 1
