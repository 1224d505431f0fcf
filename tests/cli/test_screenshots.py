"""The pictures of the terminal: how they are made, and that they are there."""

import struct
import zlib

import pytest
from scripts.screenshots import first_targets, packed, to_html

from tests.conftest import ROOT


def test_colours_of_a_terminal_become_html():
    """As tmux writes them; the text of others cannot become markup."""
    page = to_html(["\x1b[31mFAIL\x1b[39m  <b>&", "\x1b[2mcause\x1b[0m x", "\x1b[1m\x1b[32mpass\x1b[22m y\x1b[39m z"])
    text = page.partition("<pre>")[2].partition("</pre>")[0]
    assert text.split("\n") == [
        '<span style="color:#ff7b72">FAIL</span>  &lt;b&gt;&amp;',
        '<span style="opacity:.6">cause</span> x',
        '<span style="font-weight:bold;color:#7ee787">pass</span><span style="color:#7ee787"> y</span> z',
    ]


def test_a_picture_ends_with_a_whole_target():
    lines = ["FAIL: 2 fail", "", "VERDICT", "\x1b[31mFAIL\x1b[39m a", "    cause", "FAIL b", "    cause", "    fix"]
    assert first_targets(lines, 6) == lines[:5]
    assert first_targets(["x"] * 9, 3) == ["x"] * 3


def png(*chunks):
    body = b"".join(struct.pack(">I", len(data)) + name + data + bytes(4) for name, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_packed_picture_has_the_same_pixels():
    """Each filter of the specification; shades are rounded to sixteen."""
    rows = [b"\0\x11\x22\x33\xff\xff\xff", b"\1\x11\x22\x33\xee\xdd\xcc", b"\2\0\0\0\0\0\0"]
    rows += [b"\3\x09\x11\x1a\0\0\0", b"\4\0\0\0\0\0\0"]
    header = struct.pack(">IIBBBBB", 2, 5, 8, 2, 0, 0, 0)
    small = packed(png((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")))
    palette, body = small.partition(b"PLTE")[2], small.partition(b"IDAT")[2]
    pixels = zlib.decompressobj().decompress(body)
    shown = [palette[3 * pixels[3 * y + 1 + x] :][:3].hex() for y in range(5) for x in range(2)]
    assert shown == [
        *("112233", "ffffff"),
        *("112233", "ffffff"),
        *("112233", "ffffff"),
        *("112233", "888899"),
        *("112233", "888899"),
    ]


@pytest.mark.parametrize("columns", [80, 140])
def test_the_pictures_are_in_the_pages(columns):
    """Small enough for a page, and of the width that their name says."""
    data = (ROOT / f"docs/terminal-{columns}.png").read_bytes()
    assert len(data) < 150_000
    assert struct.unpack(">I", data[16:20])[0] == (columns * 8 + 34) * 3 // 2
    pages = (ROOT / "README.md").read_text() + (ROOT / "docs/run.md").read_text()
    assert f"terminal-{columns}.png)" in pages
