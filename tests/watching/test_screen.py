"""A frame: exact lines at every size, what needs a person first, and nothing of others that a terminal obeys."""

import pytest

from egressprobe.cli.live.keys import actions
from egressprobe.cli.output.terminal import Style
from egressprobe.cli.output.watch.fit import columns, fit, fold
from egressprobe.cli.output.watch.screen import Frame, draw, length
from egressprobe.watching.history import History
from tests.support.cpu_time import within_seconds
from tests.support.small_screen import SmallScreen
from tests.watching.rounds import DEGRADED, FAIL, PASS, round_of, seen

FIX = (
    ("cause", "no reply to the SYN within 3.2 s"),
    ("apiserver", "x" * 300),
    ("fix", "Open the egress rule"),
    ("", "b"),
)


def watched(rounds=5, targets=4, subnets=2):
    """A history in which the first target fails from the first subnet since the second round."""
    history = History()
    for at in range(rounds):
        history.add(
            round_of(
                *(
                    seen(
                        f"target-{t}",
                        FAIL if (t, s) == (0, 0) and at else DEGRADED if t == 1 else PASS,
                        at=at * 60,
                        subnet=f"subnet-{s}",
                        seconds=0.01 * (1 + at),
                        details=FIX if (t, s) == (0, 0) and at else (),
                    )
                    for t in range(targets)
                    for s in range(subnets)
                )
            )
        )
    return history


def frame(**fields):
    return Frame(**{"title": "targets.yaml", "now": 250.0, "state": "every 60 s", "selected": "target-0"} | fields)


@pytest.mark.parametrize("height", [8, 10, 14, 24, 40, 80])
@pytest.mark.parametrize("width", [40, 60, 80, 140, 300])
@pytest.mark.parametrize("help_shown", [False, True])
def test_a_frame_has_exactly_the_size_of_the_terminal(width, height, help_shown):
    """With any number of targets and subnets, and as a terminal shows it."""
    for targets, subnets in ((0, 0), (1, 1), (4, 2), (30, 6), (3, 40)):
        history = watched(targets=targets, subnets=subnets) if targets else History()
        lines = draw(history, frame(help=help_shown, trouble="throttled"), width, height)
        assert len(lines) == height
        assert {columns(line) for line in lines} == {width}


def test_what_a_person_needs_is_at_80_columns():
    """The verdict, which target and subnet, the code, cause and fix, the outage, the keys."""
    lines = draw(watched(), frame(), 80, 24)
    assert lines[0].startswith("egressprobe watch targets.yaml ")
    assert lines[0].endswith("every 60 s  00:04:10Z")
    assert lines[1].startswith("FAIL: 1 fail, 0 unknown, 1 degraded, 2 pass")
    text = "\n".join(lines)
    assert "> target-0" in text
    assert "FAIL connect_timeout" in text
    assert text.index("cause     no reply") < text.index("fix       Open") < text.index("apiserver")
    assert "00:01:00Z - now         3m10s  target-0 from subnet-0  connect_timeout" in text
    assert lines[-1].startswith("q quit")


def test_a_wide_terminal_shows_more():
    """Codes in full, and the times."""
    text = "\n".join(draw(watched(), frame(), 140, 40))
    assert "FAIL connect_timeout" in text
    assert "DEGRADED connect_timeout" in text
    assert "▅xxxx" in text
    assert "▂▄▅▇█" in text


def test_a_terminal_without_those_characters_gets_others():
    text = "\n".join(draw(watched(), frame(unicode=False), 140, 40))
    assert text.isascii()
    assert "+xxxx" in text


def test_old_news_is_unknown():
    """Neither pass nor fail: nothing was heard for 4 minutes."""
    lines = draw(watched(), frame(now=240.0 + 241), 100, 24)
    assert lines[1].startswith("UNKNOWN: 0 fail, 4 unknown, 0 degraded, 0 pass")


def test_before_the_first_round_nothing_is_claimed():
    lines = draw(History(), frame(selected=""), 80, 24)
    assert lines[1].startswith("no round yet")
    assert not any("pass" in line for line in lines)


def test_the_selected_row_is_in_view():
    """Also the last of many."""
    history = watched(targets=60)
    for selected in ("target-0", "target-37", "target-9"):
        text = "\n".join(draw(history, frame(selected=selected), 80, 24))
        assert f"> {selected} " in text


def test_subnets_that_do_not_fit_are_counted():
    text = "\n".join(draw(watched(subnets=40), frame(), 80, 24))
    assert "subnets" in text
    assert "+" in text


def test_colours_take_no_columns():
    """Only where they are wanted, and only ours: a screen accepts nothing else."""
    screen = SmallScreen(80, 24)
    lines = draw(watched(), frame(style=Style(colour=True)), 80, 24)
    screen.feed("".join(f"\x1b[{i + 1};1H{line}" for i, line in enumerate(lines)))
    assert screen.lines == [line.rstrip() for line in draw(watched(), frame(), 80, 24)]
    assert "\x1b[31m" in "".join(lines)


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x1b]0;title\x07", "\u202eevil", "漢字漢字漢字漢字", "e\u0301" * 20, "a\nb", "\ud800", "\t"]
)
def test_a_text_of_others_is_harmless(text):
    """In names, codes, causes and troubles; wide and combining characters keep the columns."""
    history = History()
    history.add(
        round_of(seen(text, FAIL, at=1, subnet=text, cause=text, details=(("cause", text), ("fix", text * 30))))
    )
    for width in (40, 80):
        lines = draw(history, frame(selected=text, trouble=text, title=text), width, 24)
        assert {columns(line) for line in lines} == {width}
        assert not {"\x1b", "\u202e", "\x07", "\n", "\t", "\ud800"} & set("".join(lines))


def test_a_frame_of_many_cells_is_cheap():
    """400 targets from 3 subnets, once a second."""
    history = watched(rounds=3, targets=400, subnets=3)
    within_seconds(0.5, lambda: draw(history, frame(), 140, 50))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m00s"), (3599, "59m59s"), (3600, "1h00m"), (90_000, "1d01h"), (-5, "0s")],
)
def test_lengths(seconds, text):
    assert length(seconds) == text


def test_folded_and_fitted_text_has_the_width():
    for text in ("a b", "word " * 30, "x" * 90, "漢字 " * 30, ""):
        assert all(columns(line) <= 20 for line in fold(text, 20))
        assert columns(fit(text, 20)) == 20
    assert "".join(fold("x" * 45, 20)) == "x" * 45


@pytest.mark.parametrize(
    ("keys", "done", "rest"),
    [
        ("q", ["quit"], ""),
        ("jk", ["down", "up"], ""),
        ("\x1b[A\x1bOB", ["up", "down"], ""),
        ("\x1b", [], "\x1b"),
        ("\x1b[", [], "\x1b["),
        ("\x1b[1;5Cq", ["close", "quit"], ""),
        ("ä", ["other"], ""),
        ("\x1b[5~", ["page up"], ""),
    ],
)
def test_keys(keys, done, rest):
    """Also those of which only a part was read."""
    assert actions(keys) == (done, rest)
