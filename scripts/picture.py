"""Draw docs/packages.svg: the packages in their layers, from LAYERS and the imports of tests/test_architecture.py.

A line leads from a package to one that it imports directly; an import that another line already implies is left out.
"""

import ast
import textwrap
from html import escape
from pathlib import Path

_WIDTH, _BOX, _HEIGHT, _ROW, _MARGIN, _LEFT = 1060, 310, 80, 118, 24, 70
_STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2933}"
    ".name{font-size:15px;font-weight:600}.what{font-size:11px;fill:#52606d}.layer{font-size:12px;fill:#7b8794}"
    ".what{font-weight:400}rect{fill:#f5f7fa;stroke:#7b8794}line{stroke:#b8c2cc;stroke-width:1.5}"
)


def packages_svg(layers: tuple[tuple[str, ...], ...], imports: dict[str, set[str]], source: Path) -> str:
    """layers: lowest first. imports: the packages that each package imports. source: src/egressprobe."""
    height = 2 * _MARGIN + _ROW * len(layers) - (_ROW - _HEIGHT)
    places = _places(layers)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img">',
        "<title>The packages of egressprobe in their layers</title>",
        f'<style>{_STYLE}</style><rect width="{_WIDTH}" height="{height}" style="fill:#ffffff;stroke:none"/>',
    ]
    for package, imported in sorted(_reduced(imports).items()):
        x, y = places[package]
        for other in sorted(imported):
            left, top = places[other]
            ends = f'x1="{x + _BOX // 2}" y1="{y + _HEIGHT}" x2="{left + _BOX // 2}" y2="{top}"'
            parts.append(f"<line {ends}/>")
    for number, layer in enumerate(layers, 1):
        y = places[layer[0]][1]
        parts.append(f'<text class="layer" x="{_MARGIN - 10}" y="{y + _HEIGHT // 2 + 4}">layer {number}</text>')
    parts += [_box(package, *places[package], source) for layer in layers for package in layer]
    return "\n".join((*parts, "</svg>", ""))


def _places(layers: tuple[tuple[str, ...], ...]) -> dict[str, tuple[int, int]]:
    """The upper left corner of each box; the highest layer at the top."""
    places = {}
    for row, layer in enumerate(reversed(layers)):
        gap = (_WIDTH - _LEFT - _MARGIN - _BOX * len(layer)) // (len(layer) + 1)
        for column, package in enumerate(layer):
            places[package] = (_LEFT + gap + column * (_BOX + gap), _MARGIN + row * _ROW)
    return places


def _reduced(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """The transitive reduction: without what an imported package imports itself, directly or not."""

    def reach(package: str) -> set[str]:
        return set().union(*({other} | reach(other) for other in imports.get(package, ())))

    return {package: imported - set().union(*map(reach, imported)) for package, imported in imports.items()}


def _box(package: str, x: int, y: int, source: Path) -> str:
    docstring = ast.get_docstring(ast.parse((source / package / "__init__.py").read_text())) or ""
    sentence = " ".join(docstring.split("\n\n")[0].split()).partition(". ")[0].rstrip(".").replace("`", "")
    folders = sorted(path.parent.name for path in (source / package).glob("*/__init__.py"))
    name = escape(package) + (f'<tspan class="what">  with {", ".join(folders)}</tspan>' if folders else "")
    lines = textwrap.wrap(sentence, 48, max_lines=3, placeholder=" ...")
    what = "".join(
        f'<text class="what" x="{x + 10}" y="{y + 38 + 15 * i}">{escape(text)}</text>' for i, text in enumerate(lines)
    )
    frame = f'<rect x="{x}" y="{y}" width="{_BOX}" height="{_HEIGHT}" rx="6"/>'
    return f'{frame}<text class="name" x="{x + 10}" y="{y + 20}">{name}</text>{what}'
