"""VPCs written by hand from AWS's documentation (tests/data/vpc-examples): each cites the page that says what happens."""

import pytest
import yaml

from egressprobe.audit.run import audit
from tests.audit.test_examples import SEEN
from tests.conftest import ROOT
from tests.support.vpc.example import snapshot, targets, wanted_paths

FOLDER = ROOT / "tests" / "data" / "vpc-examples"
EXAMPLES = [
    (f"{path.stem} {i}: {raw['says']}", raw)
    for path in sorted(FOLDER.glob("*.yaml"))
    for i, raw in enumerate(yaml.load(path.read_text(), yaml.CSafeLoader), start=1)
]


@pytest.mark.parametrize("raw", [raw for _, raw in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_the_audit_says_what_the_page_says(raw):
    found = audit(snapshot(raw), targets(raw))
    states = {(path.subnet, path.address, path.port): path for path in found.paths if path.protocol == "tcp"}
    cells = {(row.target.host, row.target.port, cell.subnet): cell for row in found.rows for cell in row.cells}
    for wanted in wanted_paths(raw):
        path = states.get((wanted.subnet, wanted.address, wanted.port))
        if path is None:  # a name
            cell = cells[wanted.address, wanted.port, wanted.subnet]
            assert (cell.state, cell.code) == (wanted.state, wanted.code)
            continue
        blames = [*([path.blame] if path.blame else []), *path.narrowed]
        assert (path.state, blames[0].code if blames else "") == (wanted.state, wanted.code), path
    if "findings" in raw:
        assert {one.code for one in found.findings if one.severity != "info"} == set(raw["findings"])


def test_there_are_at_least_a_hundred_and_each_cites_its_page():
    assert len(EXAMPLES) + len(SEEN) >= 100
    assert len({raw["says"] for _, raw in EXAMPLES}) == len(EXAMPLES)
    for _, raw in EXAMPLES:
        assert raw["page"].endswith(".html")
        assert raw.get("paths") or raw["findings"]
