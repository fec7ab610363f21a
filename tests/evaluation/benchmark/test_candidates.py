"""What a benchmark runs."""

from taskcodec.evaluation.benchmark.candidates import Choice, left_out, roster


def test_the_roster_holds_all_peers_and_says_what_it_leaves_out():
    whole = roster(Choice(fit_on=True))
    names = {name for _, name, _ in whole}
    assert names >= {
        "float32", "float16", "int8", "sign", "PCA int8", "SQ4", "PQ", "OPQ", "RQ", "LSQ", "KLT", "step", "zstd int8",
        "LCLP learned", "PNG", "JPEG", "WebP", "taskcodec",
    }  # fmt: skip
    assert {regime for regime, name, _ in whole if name == "PQ"} == {"zero-shot", "fitted"}
    assert next(iter(whole)) == ("as is", "float32", "")
    alone = roster(Choice(rates=(77.0,)))
    assert {name for regime, name, _ in alone if regime == "zero-shot"} == {"taskcodec", "taskcodec, tables as shipped"}
    assert {setting for _, name, setting in alone if name in ("taskcodec", "KLT", "step")} == {"77"}
    assert any("--fit-on" in note for note in left_out(Choice()))
    assert {name for _, name, _ in roster(Choice(codecs=("lclp", "jpg")))} == {
        "float32", "LCLP learned", "LCLP learned, refitted", "JPEG",
    }  # fmt: skip
