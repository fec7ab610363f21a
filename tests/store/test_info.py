import pytest

from tests.store.written import N


def test_the_rate_is_that_of_the_files(store):
    files = [path.stat().st_size for path in (store.place / "codes" / "c").rglob("*") if path.is_file()]
    info = store.info()
    assert info.code_bytes == sum(files)
    assert info.bits_per_sample == pytest.approx(8 * sum(files) / N)
    assert info.store_bytes == sum(path.stat().st_size for path in store.place.rglob("*") if path.is_file())
    assert info.source_bytes == 100 * N
