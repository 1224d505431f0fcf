"""What fits a response: the results that need the most bytes are cut first, and odd text costs its own field."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.report import REPORT_SCHEMA, Forecast, Report, Result, TargetView, Vantage, count
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.model.text import valid, valid_text
from egressprobe.publish.response import MAX_RESPONSE, from_json, response


def result(name, size=0, verdict=Verdict.FAIL):
    text = "x" * size
    return Result(
        target=TargetView(Kind.WEBHOOK, name, "https://h/"),
        verdict=verdict,
        impact=Impact.BLOCKS,
        switch_relevant=True,
        failure=Failure(Phase.HTTP, Code.OIDC_ISSUER_MISMATCH, f"m{text}", text),
        forecast=Forecast("fail", 0.1, f"e{text}", 0.0),
        resolutions=(),
        attempts=(),
        http=(),
        findings=(),
        duration_ms=1.0,
    )


def report(*results):
    vantage = Vantage(None, None, None, (), "", "")
    summary = count(one.verdict for one in results)
    return Report(REPORT_SCHEMA, "r", "2026-01-01T00:00:00.000+00:00", 1.0, vantage, Verdict.FAIL, summary, results, ())


@given(
    st.lists(st.sampled_from([0, 10, 1_000, 50_000, 400_000]), min_size=1, max_size=40),
    st.sampled_from([60_000, 300_000, 1_000_000]),
)
@settings(max_examples=60, deadline=None)
def test_a_report_fits_and_what_is_small_stays_whole(sizes, limit):
    """Any mix of sizes: below the limit, every verdict there, and nothing is cut that is smaller than something whole."""
    results = [result(f"t{i}", size) for i, size in enumerate(sizes)]
    document = response(report(*results), limit)
    encoded = msgspec.json.encode(document)
    assert len(encoded) <= limit
    back = from_json(encoded)
    assert [one.verdict for one in back.results] == [one.verdict for one in results]
    whole = [size for size, one, before in zip(sizes, back.results, results, strict=True) if one == before]
    cut = [size for size, one, before in zip(sizes, back.results, results, strict=True) if one != before]
    assert not whole or not cut or min(cut) >= max(whole)
    assert bool(cut) == bool(document["findings"])


def test_two_bloated_servers_cost_the_honest_nothing():
    """Two failures of 4.5 MB beside 20 small ones: the small ones keep their texts, and the finding names the two."""
    honest = [result(f"good{i}", 200) for i in range(20)]
    document = response(report(result("a", 1_500_000), *honest, result("b", 1_500_000)))
    back = from_json(json.dumps(document))
    assert back.results[1:-1] == tuple(honest)
    assert back.results[0].failure.code is Code.OIDC_ISSUER_MISMATCH
    assert len(back.results[0].failure.message) <= 2000
    assert document["findings"][0]["evidence"]["targets"] == ["a", "b"]
    assert len(msgspec.json.encode(document)) < MAX_RESPONSE


def test_a_target_with_a_url_of_megabytes_costs_itself():
    """An event may name it: the response fits, the verdict is there, and its neighbour is whole."""
    small = result("small", 200)
    large = replace(small, target=replace(small.target, name="large", url="https://h/" + "x" * 5_000_000))
    document = response(report(large, small))
    assert len(msgspec.json.encode(document)) < MAX_RESPONSE
    assert from_json(json.dumps(document)).results[1] == small
    assert document["results"][0]["target"]["url"].startswith("https://h/xxx")


@pytest.mark.parametrize("where", ["url", "message", "cluster"])
def test_a_lone_surrogate_costs_its_own_text(where):
    """JSON can carry one, UTF-8 cannot: the other results are untouched."""
    odd = result("odd")
    made = report(odd, result("good"))
    if where == "url":
        made = replace(
            made, results=(replace(odd, target=replace(odd.target, url="https://h/\ud800")), made.results[1])
        )
    elif where == "message":
        made = replace(
            made, results=(replace(odd, failure=Failure(Phase.HTTP, Code.HTTP_STATUS, "\udfff!")), made.results[1])
        )
    else:
        made = replace(made, vantage=Vantage("prod\udcff", None, None, (), "", ""))
    document = response(made)
    json.dumps(document, ensure_ascii=False).encode()
    assert from_json(json.dumps(document)).results[1] == made.results[1]


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_valid_text_is_utf8_and_changes_nothing_else(text):
    """Total; text without lone surrogates is untouched, and a surrogate pair becomes its character."""
    made = valid_text(text)
    made.encode()
    try:
        text.encode()
    except UnicodeEncodeError:
        assert made != text
    else:
        assert made == text
    assert valid({text: [text, 1, None]}) == {made: [made, 1, None]}
