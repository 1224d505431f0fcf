"""The comparison with x509-limbo tells a difference from an agreement; the suite itself is not part of the project."""

import base64
import json

from scripts import limbo

from tests.support.peers import pki


def _case(name, made, root, go):
    chain, roots = ([base64.b64encode(one.der).decode()] for one in (made, root))
    return {"id": name, "host": "a.lab", "time": None, "chain": chain, "roots": roots, "go": go}


def test_what_differs_is_counted(tmp_path, capsys):
    """The right answers pass; one false verdict fails, and without the suite a line says so."""
    root = pki.make_ca("root")
    leaf = pki.make("", by=root, extensions=(pki.alt_names(dns=("a.lab",)),))
    unknown = "x509: certificate signed by unknown authority"
    path = tmp_path / "limbo.json"
    path.write_text(json.dumps({"cases": [_case("a", leaf, root, ""), _case("b", leaf, leaf, "")]}))
    assert limbo.main([str(path)]) == 0
    cases = [_case("a", leaf, pki.make_ca("other"), f"tls: failed to verify certificate: {unknown}")]
    path.write_text(json.dumps({"cases": [*cases, _case("b", leaf, root, unknown)]}))
    assert limbo.main([str(path)]) == 1
    assert limbo.main([]) == 0
    printed = capsys.readouterr().out
    assert "x509-limbo: 2 cases, 2 verdicts and 2 texts as Go's" in printed
    assert f"verdict b: Go '{unknown}', ours ''" in printed
    assert "x509-limbo: 2 cases, 1 verdicts and 1 texts as Go's" in printed
    assert "NOT RUN: 1 suite needs x509-limbo" in printed
