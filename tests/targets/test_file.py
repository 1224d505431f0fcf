"""Files of any content: plain data within bounds, or one line that names the place; in bounded time and memory."""

import io
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.model.errors import InputError
from egressprobe.targets import file
from egressprobe.targets.file import MAX_BYTES, MAX_DEPTH, read_file
from tests.conftest import examples
from tests.support.cpu_time import within_seconds

SECONDS = 20.0  # the largest file, on a busy machine


@pytest.fixture
def given_text(monkeypatch):
    """A file by its content, on standard input."""

    def put(text):
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return "-"

    return put


def refused(name, **more):
    with pytest.raises(InputError) as caught:
        read_file(name, **more)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


def merges(levels, width):
    """Each level merges the one before `width` times: width ** levels keys, in a few hundred bytes."""
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join(f'*a{i - 1}' for _ in range(width))}]}}" for i in range(1, levels)]
    return "\n".join(lines)


def aliases(levels, width):
    lines = ["a0: &a0 [x, y]"]
    lines += [f"a{i}: &a{i} [{', '.join(f'*a{i - 1}' for _ in range(width))}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        # Depth, in each style; libyaml's composer recurses and would overflow the stack.
        ("[" * 100_000, "nested more than 100 deep"),
        ("{a: " * 100_000, "nested more than 100 deep"),
        ('{"a":' * 100_000, "nested more than 100 deep"),
        ('{"a":' * 500 + "1" + "}" * 500, "nested more than 100 deep"),
        ("- " * 100_000, "nested more than 100 deep"),
        ("? " * 100_000, "nested more than 100 deep"),
        ("[" * 101 + "]" * 101, "nested more than 100 deep"),
        ("a: " + "!!x [" * 100_000, "nested more than 100 deep"),
        # What few lines stand for.
        (merges(12, 9), "are its aliases nested"),
        (aliases(30, 9), "are its aliases nested"),
        ("a: &a [" + "x, " * 1000 + "]\nb: [" + "*a, " * 1000 + "]", "are its aliases nested"),
        ("a: &a [*a]", '"*a" contains itself'),
        ("a: &a {b: {c: *a}}", '"*a" contains itself'),
        ("a: &a\n  <<: *a", '"*a" contains itself'),
        ("a: *nothing", "found undefined alias"),
        # Numbers.
        ("a: " + ":".join(["1"] * 100_000), "must be in quotes"),
        ("a: " + "9" * 100_000, "must be in quotes"),
        ("a: " + ":".join(["1"] * 100_000) + ".5", "must be in quotes"),
        ('{"a": ' + "9" * 100_000 + "}", "must be in quotes"),
        ("a: .nan", "not finite"),
        ("a: -.inf", "not finite"),
        ('{"a": NaN}', "NaN is not a number of JSON"),
        ('{"a": -Infinity}', "-Infinity is not a number of JSON"),
        ('{"a": 1e999}', "not finite"),
        # Text.
        ('{"a": "\\ud800"}', "lone surrogate"),
        ('{"\\udfff": 1}', "lone surrogate"),
        ('a: "\\ud800"', "invalid Unicode character escape code"),
        (b"a: \xed\xa0\x80", "is not UTF-8"),
        (b"a: \xff", "is not UTF-8"),
        ("a: \x00", ""),
        ("a: \x07", ""),
        # Kinds that JSON does not have.
        ("a: !!binary aGk=", "does not have (bytes)"),
        ("a: !!set {b}", "does not have (set)"),
        ("a: !!timestamp 2020-01-01", "does not have (date)"),
        ("a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("1: a", "a key is a number"),
        ("~: a", "a key is nothing"),
        ("? [a]\n: b", ""),
        ("? {a: b}\n: c", ""),
        # Two of one kind.
        ('{"a": 1, "a": 2}', 'the key "a" is twice in one object'),
        ("a: 1\na: 2", 'the key "a" is twice in one mapping'),
        ("a: 1\n---\nb: 2", "found another document"),
        ('{"a": [}', "line 1 column 8"),
        ("a: [", "line 2"),
        ("%YAML 9.9\n---\na", ""),
    ],
)  # fmt: skip
def test_what_is_refused(given_text, text, reason):
    assert reason in within_seconds(SECONDS, lambda: refused(given_text(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: &x [1, 2]\nb: [*x, *x]", {"a": [1, 2], "b": [[1, 2], [1, 2]]}),
        ("{a: b}", {"a": "b"}),
        ('\ufeff{"a": "\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
        ("a: '" + "9" * 5000 + "'", {"a": "9" * 5000}),
        ('{"a": 1.5, "b": -7, "c": null, "d": true}', {"a": 1.5, "b": -7, "c": None, "d": True}),
    ],
)
def test_what_is_read(given_text, text, expected):
    document = read_file(given_text(text))
    assert document == expected or expected is None


def test_repeated_keys_where_they_are_allowed(given_text):
    for text in ('{"a": 1, "a": 2}', "a: 1\na: 2"):
        assert read_file(given_text(text), repeated_keys=True) == {"a": 2}


_SLOW_UNITS = ["- a\n", "a: b\n", "- &a b\n", "a:\n a:\n  ", "- <<: a\n"]


@pytest.mark.parametrize("unit", [*(pytest.param(unit, marks=pytest.mark.thorough) for unit in _SLOW_UNITS), "[a],", "? a\n", "&a ", "*a ", "!!str ", "'", '"\\', "- |\n", "#", "% ", "{", "\t", ", ", "---\n", "\n", "x"])  # fmt: skip
def test_the_largest_file_of_one_thing_takes_bounded_time(given_text, unit):
    """Nothing quadratic, in ours nor in libyaml's: 1 MiB of it, of 8 that are allowed."""
    text = unit * ((MAX_BYTES >> 3) // len(unit))

    def read():
        try:
            read_file(given_text(text))
        except InputError as error:
            assert len(str(error)) < 300

    within_seconds(SECONDS, read)


def test_too_large_a_file_and_what_is_no_file(given_text, tmp_path):
    assert refused(given_text("x" * (MAX_BYTES + 1))) == "-: is larger than 8 MiB; split it"
    assert "is a directory" in refused(str(tmp_path))
    assert "no such file" in refused(str(tmp_path / "none"))
    assert "is not a path" in refused("a\0b")
    assert "is larger than" in refused("/dev/zero")


_PIECES = ["[", "]", "{", "}", ",", ":", "- ", "? ", "\n", "\n  ", "&a ", "*a ", "<<: ", "!!", "!!int ", "|\n", "'", '"', "a", "1:2", ".nan",
           "0x", "~", "---\n", "...\n", "%", "#", "\\ud800", "\ud800", "\x00", "\u2028", "=", "- &a [*a]"]  # fmt: skip


@settings(max_examples=examples(500), deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=60))
def test_any_text_is_data_or_one_line(pieces):
    """Total; what comes out can be written as JSON and encoded."""
    text = "".join(pieces)
    try:
        document = file._decode(text, "x", 1000, repeated_keys=False)
        file._check(document, "x", 1000)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ["token: !Hunter2", "token: *Hunter2", "token: !!Hunter2 x", "a: &Hunter2 1\nb: &Hunter2 2\nc: *Hunter"])  # fmt: skip
def test_no_message_shows_a_password_without_quotes(given_text, text):
    """YAML takes one that begins with ! for a tag, with * for an alias."""
    with pytest.raises(InputError) as caught:
        read_file(given_text(text))
    assert "Hunter" not in str(caught.value)
