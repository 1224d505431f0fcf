"""The catalogue is whole: every code is documented once, explained, and produced by some test."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

from egressprobe.catalog.failures import FAILURES
from egressprobe.catalog.registry import FINDINGS, all_entries, lookup, visible
from egressprobe.lab.scenario import EXPECTED
from egressprobe.model.failure import Code

TESTS = Path(__file__).parents[1]


def test_every_failure_code_has_an_entry_in_order():
    """The catalogue lists exactly the codes of the contract, in their order."""
    assert list(FAILURES) == [str(code) for code in Code]


def test_codes_are_unique_and_well_formed():
    """Failures are snake_case, findings UPPER_SNAKE, none twice."""
    codes = [entry.code for entry in all_entries()]
    assert len(codes) == len({code.lower() for code in codes})
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", code) for code in FAILURES)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", code) for code in FINDINGS)


def test_every_entry_says_all_it_must():
    """A meaning, a way to confirm and a remedy, in sentences."""
    for entry in all_entries():
        assert entry.means.endswith("."), entry.code
        assert entry.confirm, entry.code
        assert len(entry.remedy) > 10, entry.code
        assert not entry.summary.endswith("."), entry.code
        assert lookup(entry.code.swapcase()) is entry


def test_what_a_finding_hides_exists_and_hides_nothing_back():
    """Hidden codes are codes of the catalogue, and two findings never hide each other, or a person would see neither."""
    hides = {code: entry.hidden_codes for code, entry in FINDINGS.items()}
    for hidden in hides.values():
        assert all(lookup(code) and lookup(code).code == code for code in hidden)
    TopologicalSorter(hides).prepare()


def test_a_cause_hides_what_follows_from_it():
    """People see the cause alone, whether it is one of the findings or is known beside them."""
    slow, dns, dead = (FINDINGS[code].found("x", {}) for code in ("CALL_SLOW", "DNS_SLOW", "ADDRESS_DEAD"))
    assert visible([slow, dns, dead]) == (dns, dead)
    assert visible([slow, dead], of=["DNS_SLOW", "SERVER_SILENT"]) == ()
    assert visible([slow, slow]) == (slow, slow)


def test_every_code_is_produced_by_some_test():
    """Each code stands in a test's expectation (or the lab's, which a test compares)."""
    text = "".join(p.read_text() for p in TESTS.rglob("*.py") if p.name != "test_catalog.py")
    produced = {code for _, code in EXPECTED.values() if code}
    missing = [code for code in Code if code not in produced and f"Code.{code.name}" not in text]
    missing += [code for code in FINDINGS if f'"{code}"' not in text]
    assert not missing, f"no test expects {', '.join(missing)}: see docs/develop.md"
