"""All mistakes of a targets file at once, each with its line and the target's name."""

import json
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.cli import main as cli
from egressprobe.model.errors import InputError
from egressprobe.planner.inventory import read_inventory
from egressprobe.targets.decode import MOST_MISTAKES
from egressprobe.targets.lines import TargetsFile
from egressprobe.targets.plan import read_plan

FILE = """\
# a comment
targets:
- kind: webhook
  name: one
  url: http://x.example/
  adress: 1
- kind: webhok
  name: two
- {kind: webhook, name: three, url: "https://x/", timeoutSeconds: "10",
   service: {nam: x}}
- kind: webhook
  name: four
  url: http://x.example/
  timeoutSeconds: 60
  objects: ["good", "a\\nb"]
- kind: kubelet
  name: four
  addresses:
  - 10.0.0.1:10250
  - "10.0.0.2"
- kind: oidc
  name: five
  timeoutSeconds: 3
  caBundleRef: none
bundles:
  my.own[0]: rubbish
resolver: [127.0.0.1]
kubeVersion: 1.35
"""
EXPECTED = [
    "6: targets[0].adress (one): is not known; did you mean addresses?",
    '7: targets[1].kind (two): "webhok" is not known; did you mean webhook?',
    "9: targets[2].timeoutSeconds (three): expected a whole number, got a string; write 10 without quotes",
    "10: targets[2].service.nam (three): is not known; did you mean name?",
    "10: targets[2].service.namespace (three): is missing",
    '13: targets[3].url (four): "http://x.example/" must begin with https://',
    "14: targets[3].timeoutSeconds (four): 60 is not in 1..30",
    "15: targets[3].objects[1] (four): needs printable characters, at most 1000",
    '20: targets[4].addresses[1] (four): "10.0.0.2" is not IP:PORT ([IP]:PORT for IPv6)',
    "23: targets[5].timeoutSeconds (five): does not go with kind oidc; it takes advisory, caBundle, caBundleRef, url",
    "27: resolver: is not known; did you mean resolvers?",
    "28: kubeVersion: expected a string, got a number; put it in quotes",
]


def mistakes(text, document=None, reader=read_plan):
    file = TargetsFile("t.yaml", text, yaml.safe_load(text) if document is None else document)
    with pytest.raises(InputError) as caught:
        file.read(reader)
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize("reader", [read_plan, read_inventory], ids=["run", "deploy"])
def test_all_mistakes_with_their_lines(reader):
    """In the order of the file, whatever its style; also those beside the targets."""
    assert mistakes(FILE, reader=reader) == [f"t.yaml:{line}" for line in EXPECTED]


def test_the_same_of_json():
    """The lines of JSON as well, tabs included."""
    text = json.dumps(yaml.safe_load(FILE), indent="\t")
    found = mistakes(text, json.loads(text))
    places = {line.partition(": ")[2] for line in found}
    assert places == {line.partition(": ")[2] for line in EXPECTED}
    lines = text.splitlines()
    for mistake in found:
        number, place = mistake.removeprefix("t.yaml:").split(": ")[:2]
        key = place.partition(" ")[0].rpartition(".")[2].partition("[")[0]
        assert (
            f'"{key}"' in lines[int(number) - 1] or "missing" in mistake or "addresses" in place or "objects" in place
        )


def test_a_key_with_dots_and_brackets():
    """The longest key that fits is the one that is meant."""
    text = "targets: [{kind: kubelet, name: n, addresses: ['10.0.0.1:1']}]\nbundles:\n  my: rubbish\n  my.own[0]: rubbish\n"
    assert [line.partition(": ")[0] for line in mistakes(text)] == ["t.yaml:3", "t.yaml:4"]


def test_without_pyyaml_there_is_no_line(monkeypatch):
    """JSON can be read without the extra `cli`."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    text = '{"targets": [{"kind": "webhook", "name": "a", "url": "http://x/"}]}'
    assert mistakes(text, json.loads(text)) == ['t.yaml: targets[0].url (a): "http://x/" must begin with https://']


def test_two_targets_of_one_name():
    """Both are named by their place."""
    text = "targets:\n" + "- {kind: endpoint, name: a, url: 'tcp://a:1'}\n" * 3
    already = '"a" is the name of targets[0] already'
    assert mistakes(text) == [f"t.yaml:3: targets[1].name (a): {already}", f"t.yaml:4: targets[2].name (a): {already}"]


def test_one_line_each_on_stderr(tmp_path, capsys):
    """At most 20 of them, nothing on stdout, exit 2."""
    path = tmp_path / "t"
    path.write_text("targets:\n" + "- {kind: webhook, name: a, url: 'http://x/'}\n" * 30)
    assert cli.main(["run", "-f", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[0] == f'egressprobe: {path}:2: targets[0].url (a): "http://x/" must begin with https://'
    assert lines[-1] == "egressprobe: and 10 more mistakes"


def test_the_number_of_mistakes_is_bounded():
    """A file of nothing else costs no more than one with a few."""
    wrong = {"kind": "webhook", "name": "a", **{f"key{i}": i for i in range(5000)}}
    with pytest.raises(InputError) as caught:
        read_plan({"targets": [wrong] * 2000})
    assert len(caught.value.mistakes) == MOST_MISTAKES
    assert str(caught.value).endswith("(and 99 more mistakes)")


_words = st.text("ab.[0]{}:-\n \t'\"#&*", max_size=12)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.text("ab.[0]{}:- \n'\"#&*", max_size=40), _words)
def test_any_text_and_place_have_a_line_or_none(text, place):
    """An error about the error must not hide it."""
    located = TargetsFile("t", text, None).located(InputError(place, "is wrong"))
    assert str(located).endswith("is wrong")
    assert "\n" not in str(located)
