"""A batch as symbols: the same whatever computes it, and what is odd about it told by row."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import taskcodec
from taskcodec.engines.coded import code
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.fitting.effort import with_effort
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.store import SampleRecord
from tests.cli.commands import contents
from tests.engines.encode.vectors import low_rank


def records(count, first=0, bad=()):
    return [SampleRecord(str(i), i, 4, status="broken" if i in bad else "ok") for i in range(first, first + count)]


def test_what_was_committed_before_is_left_out():
    x = low_rank(50)
    codec, found = taskcodec.fit(low_rank(500), bits=40), records(52, 100, bad=(101, 130))
    whole, rest = code(found, x, codec, 0), code(found, x, codec, 125)
    assert np.array_equal(whole.symbols, codec.encode(x))
    assert [record.source_index for record in rest.records] == list(range(125, 152))
    assert np.array_equal(rest.symbols, whole.symbols[24:])


def test_a_batch_of_which_nothing_could_be_read():
    codec = taskcodec.fit(low_rank(500), bits=40)
    coded = code(records(3, bad=(0, 1, 2)), np.empty((0, 0), "f4"), codec, 0)
    assert coded.symbols.shape == (0, codec.columns)
    assert len(coded.records) == 3


def test_rows_at_the_limit_and_rows_of_another_norm_are_told():
    x = low_rank(50)
    codec = taskcodec.fit(low_rank(500), bits=40)
    x[[3, 20]] *= 1e12
    assert code(records(50), x, codec, 10).clipped == [10]
    affine = replace(codec.base.transform, unit_norm=True)
    unit = codec.with_base(replace(codec.base, transform=affine))
    x = low_rank(50)
    x[:40] /= np.linalg.norm(x[:40], axis=1, keepdims=True)
    assert code(records(50), x, unit, 0).stretched == 10


@pytest.mark.parametrize("effort", [1, 2])
@pytest.mark.slow
def test_symbols_do_not_depend_on_the_number_of_threads(tmp_path, effort):
    x = low_rank(1200, d=200)
    np.save(tmp_path / "x.npy", x)
    codec = with_effort(taskcodec.fit(x[:800], bits=300), x[:300], effort)
    assert isinstance(codec.base.quantizer, DependentQuantizer if effort > 1 else UniformQuantizer)
    options = EncodeOptions(codec=codec, refit=False)
    for threads in (1, 3):
        with threadpool_limits(threads, user_api="blas"):
            encode_job(str(tmp_path / "x.npy"), str(tmp_path / f"{threads}.tcz"), options)
    assert contents(tmp_path / "1.tcz") == contents(tmp_path / "3.tcz")
