"""A baseline is whole, unchanged and readable by its owner only, or it is refused in one line."""

import json
import stat

import msgspec
import pytest
from msgspec.structs import replace

from egressprobe.model.errors import InputError
from egressprobe.readiness.baseline import file_name, load, save
from egressprobe.readiness.run import preflight
from tests.support.preflights import FakeClock, ScriptedSources


@pytest.fixture(scope="module")
def flight():
    return preflight(ScriptedSources(), clock=FakeClock())


def test_what_was_saved_is_loaded(flight, tmp_path):
    path = tmp_path / file_name("prod")
    save(path, flight)
    assert msgspec.json.encode(load(path)) == msgspec.json.encode(flight)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_bytes())["schemaVersion"] == "egressprobe/baseline/v1"


def test_an_existing_file_is_replaced_as_a_whole(flight, tmp_path):
    """With the mode of a new one, whatever the old one had; nothing else is left behind."""
    path = tmp_path / "b.json"
    path.write_text("x")
    path.chmod(0o644)
    save(path, flight)
    assert msgspec.json.encode(load(path)) == msgspec.json.encode(flight)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace('"decision":"GO"', '"decision":"NO-GO"', 1), "was changed after it was saved"),
        (lambda text: text.replace('"name":"prod"', '"name":"test"', 1), "was changed after it was saved"),
        (lambda text: text[: len(text) // 2], "is not a baseline"),
        (lambda text: "", "is not a baseline"),
        (lambda text: "[1]", "is not a baseline"),
        (lambda text: '{"schemaVersion": "egressprobe/snapshot/v1"}', "is not a baseline"),
        (lambda text: text.replace("baseline/v1", "baseline/v9", 1), "is not a baseline"),
        (lambda text: '{"schemaVersion": "egressprobe/baseline/v1"}', "is damaged or of another version"),
        (lambda text: "[" * 100_000, "is not a baseline"),
    ],
)
def test_a_file_that_is_not_as_saved_is_refused(flight, tmp_path, change, words):
    path = tmp_path / "b.json"
    save(path, flight)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=words) as refused:
        load(path)
    assert "\n" not in str(refused.value)


def test_a_preflight_of_another_version_is_refused(flight, tmp_path):
    path = tmp_path / "b.json"
    save(path, replace(flight, schema_version="egressprobe/preflight/v2"))
    with pytest.raises(InputError, match="preflight/v2"):
        load(path)


@pytest.mark.parametrize("name", ["no/such/folder/b.json", "", "x\0y"])
def test_a_place_that_cannot_be_written_or_read_is_one_line(flight, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for call in (lambda: save(name, flight), lambda: load(name)):
        with pytest.raises(InputError, match="--baseline"):
            call()
    assert list(tmp_path.iterdir()) == []
