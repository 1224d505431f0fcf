"""What reaches a terminal: other parties' text is escaped and bounded, in tables, in messages and in JSON."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.cli.common.exit_codes import message
from egressprobe.cli.output.terminal import MAX_TEXT, Style, indented, line, paragraph, printable, short, widths

HOSTILE = "\x1b[2J\x1b[1;1Hpass webhook all is well\n\x1b]0;title\x07\u009b31m\u202e\u2028\ud800\x00\r\x7f"


def _harmless(text):
    return not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for c in text)


@given(st.text(st.characters(), max_size=300) | st.just(HOSTILE))
def test_printable_text_cannot_control_a_terminal(text):
    """For any text: one line, nothing invisible, and what an encoder takes."""
    shown = printable(text)
    assert _harmless(shown)
    shown.encode()
    assert printable(shown) == shown


def test_plain_text_is_unchanged():
    assert printable("a certificate of Büro GmbH, «CN=x»") == "a certificate of Büro GmbH, «CN=x»"
    assert printable("a\nb\x1b[2J") == r"a\nb\x1b[2J"


def test_long_text_is_cut_and_says_so():
    """One value of a peer cannot fill a screen."""
    shown = printable("x" * 1_000_000)
    assert len(shown) < MAX_TEXT + 50
    assert shown.endswith("(998000 more characters)")


@given(st.lists(st.lists(st.text(max_size=80), min_size=3, max_size=3), min_size=1, max_size=5))
def test_columns_line_up_whatever_is_in_the_cells(rows):
    """The second column begins at the same place in every line."""
    columns = widths(rows)
    shown = [line(row, columns) for row in rows]
    assert all(_harmless(text) for text in shown)
    assert all(len(text) <= sum(columns) + 4 for text in shown)


def test_explanations_messages_and_footers_are_escaped(capsys):
    """Every function that writes text for people."""
    message(HOSTILE)
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    for text in (
        written.strip(),
        *indented(Style(), "cause", HOSTILE, 80),
        *indented(Style(), "apiserver", HOSTILE, None),
        *paragraph(HOSTILE, 40),
        short(HOSTILE),
    ):
        assert _harmless(text), text


@pytest.mark.parametrize("width", [20, 60, None])
def test_commands_are_never_folded(width):
    """A command broken over two lines does something else when it is pasted."""
    command = "aws ec2 authorize-security-group-egress --group-id sg-1 " + "x" * 200
    assert len(list(indented(Style(), "fix", command, width))) == 1


@pytest.mark.parametrize("width", [40, 80, 140])
def test_explanations_are_no_wider_than_the_terminal(width):
    """In a narrow one too."""
    cause = "the server's certificate is signed by an unknown CA; its issuer is another one than it was before " * 3
    first, *more = indented(Style(), "cause", cause, width)
    assert len(first) <= width
    assert all(text.startswith(" " * 14) and len(text) <= width for text in more)
    assert " ".join(text[14:] for text in (first, *more)) == cause.strip()
