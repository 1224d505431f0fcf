"""Make docs/terminal-80.png and docs/terminal-140.png: what a person sees of the built-in network, in a real terminal.

Needs tmux and Chromium (Debian: tmux, chromium, fonts-dejavu-core). The times differ from run to run, and so do the
pictures: they are made again only by `make screenshots`.
"""

import html
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_COMMAND = "egressprobe demo"
_WIDTHS = (80, 140)
_MOST_LINES = 40
_MOST_BYTES = 150_000
_SECONDS = 60
_SCALE = 1.5
_COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea"}
_STYLES = {code: f"color:{colour}" for code, colour in _COLOURS.items()} | {"1": "font-weight:bold", "2": "opacity:.6"}
_SGR = re.compile(r"\x1b\[([\d;]*)m")
_COARSE = bytes(round(value / 255 * 15) * 17 for value in range(256))  # 16 shades of each colour
_PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #0d1117; color: #e6edf3 }}
pre {{ margin: 0; padding: 12px 16px; font: 13.288px/18px "DejaVu Sans Mono", monospace; font-variant-ligatures: none }}
</style><pre>{text}</pre>
"""


def main() -> int:
    missing = [name for name in ("tmux", "chromium") if not shutil.which(name)]
    if missing:
        print(f"missing: {', '.join(missing)}", file=sys.stderr)
        return 1
    for width in _WIDTHS:
        lines = first_targets(screen(width), _MOST_LINES)
        picture = ROOT / "docs" / f"terminal-{width}.png"
        photograph(to_html([f"$ {_COMMAND}", *lines]), width, len(lines) + 1, picture)
        size = picture.stat().st_size
        print(f"{size / 1e3:5.0f} kB  {os.path.relpath(picture)}")
        if size > _MOST_BYTES:
            print(f"larger than {_MOST_BYTES / 1e3:.0f} kB", file=sys.stderr)
            return 1
    return 0


def screen(width: int) -> list[str]:
    """The lines of a terminal of that width after the command, with their escape sequences."""
    tmux = ["tmux", "-L", f"egressprobe-{os.getpid()}", "-f", os.devnull]
    paths = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": paths, "PYTHONPATH": str(ROOT / "src"), "LC_ALL": "C.UTF-8"}
    size = ["-x", str(width), "-y", "24"]
    shell = f"{_COMMAND} 2>/dev/null; echo '[end]'; sleep {_SECONDS}"
    subprocess.run([*tmux, "new-session", "-d", *size, shell], check=True, env=environment)
    try:
        ends = time.monotonic() + _SECONDS
        while time.monotonic() < ends:
            capture = [*tmux, "capture-pane", "-p", "-e", "-S", "-"]
            lines = subprocess.run(capture, check=True, capture_output=True, text=True).stdout.splitlines()
            if "[end]" in lines:
                return lines[: lines.index("[end]")]
            time.sleep(0.2)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    raise SystemExit(f"{_COMMAND} did not end within {_SECONDS} s")


def first_targets(lines: list[str], most: int) -> list[str]:
    """The head, and whole targets as far as `most` lines reach. A target begins with its verdict."""
    begins = [i for i, line in enumerate(lines[: most + 1]) if _SGR.sub("", line).startswith(("FAIL ", "UNKNOWN "))]
    return lines[: begins[-1]] if begins else lines[:most]


def to_html(lines: list[str]) -> str:
    """A page of these lines. Of the escape sequences it knows those for colours, bold and dim."""
    parts = []
    for line in lines:
        shown, styles = "", ""
        for i, piece in enumerate(_SGR.split(line)):
            if i % 2:
                styles = _styles(styles, piece)
            elif piece:
                text = html.escape(piece)
                shown += f'<span style="{styles}">{text}</span>' if styles else text
        parts.append(shown)
    return _PAGE.format(text="\n".join(parts))


def _styles(before: str, codes: str) -> str:
    """As tmux ends a colour with 39, bold and dim with 22, all of them with 0."""
    kept = [style for style in before.split(";") if style]
    for code in codes.split(";"):
        if code in ("", "0"):
            kept = []
        elif code == "39":
            kept = [style for style in kept if not style.startswith("color")]
        elif code == "22":
            kept = [style for style in kept if style.startswith("color")]
        elif code in _STYLES:
            kept.append(_STYLES[code])
    return ";".join(kept)


def photograph(page: str, columns: int, rows: int, picture: Path) -> None:
    """A PNG of the page, as large as its text."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "screen.html"
        place.write_text(page, encoding="utf-8")
        size = f"--window-size={columns * 8 + 34},{rows * 18 + 24}"
        options = [
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--disable-lcd-text",
            f"--force-device-scale-factor={_SCALE}",
        ]
        command = [
            "chromium",
            *options,
            size,
            f"--user-data-dir={folder}/profile",
            f"--screenshot={picture}",
            str(place),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
    picture.write_bytes(packed(picture.read_bytes()))


def packed(png: bytes) -> bytes:
    """The same picture in fewer bytes: with a palette of at most 256 colours, and without filters.

    PNG specification, sections 9 and 11.2. Chromium writes three bytes a pixel.
    """
    chunks = list(_chunks(png))
    width, height, depth, kind = struct.unpack(">IIBB", chunks[0][1][:10])
    if (depth, kind) != (8, 2):
        return png
    data = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    palette: dict[bytes, int] = {}
    above, line = bytes(width * 3), width * 3 + 1
    rows = []
    for begin in range(0, height * line, line):
        above = _without_filter(data[begin], data[begin + 1 : begin + line], above)
        coarse = above.translate(_COARSE)
        row = bytes(palette.setdefault(coarse[i : i + 3], len(palette) & 0xFF) for i in range(0, len(coarse), 3))
        rows.append(b"\0" + row)
    if len(palette) > 256:
        return png
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    body = zlib.compress(b"".join(rows), 9)
    parts = ((b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", body), (b"IEND", b""))
    return png[:8] + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _without_filter(kind: int, row: bytes, above: bytes, size: int = 3) -> bytes:
    """size: bytes of a pixel."""
    out = bytearray(row)
    for i in range(len(out)) if kind else ():
        left, up = (out[i - size] if i >= size else 0), above[i]
        corner = above[i - size] if i >= size else 0
        paeth = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
        out[i] = (out[i] + (0, left, up, (left + up) // 2, paeth)[kind]) & 0xFF
    return bytes(out)


if __name__ == "__main__":
    sys.exit(main())
