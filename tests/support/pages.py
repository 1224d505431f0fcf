"""An HTML report as a reader of our own sees it: elements, attributes and texts, and what no report may have."""

from html.parser import HTMLParser

_VOID = {"br", "hr", "input", "link", "meta"}
# What a page may name: nothing that loads, sends or runs.
ATTRIBUTES = frozenset(
    """aria-hidden aria-label aria-labelledby autocomplete charset class colspan content cx cy data-cells data-column
    for height hidden href http-equiv id lang name r role rx scope spellcheck tabindex type value viewbox width x x1
    x2 y y1 y2""".split()  # noqa: SIM905
)


class Read(HTMLParser):
    """Elements in order, with attributes and text. Fails for what is not nested well."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []  # (path of elements, text)
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len({name for name, _ in attrs}), attrs
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((" ".join(self._open), data))

    def handle_comment(self, data):
        raise AssertionError(data)

    def of(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]

    def text(self, within=""):
        return " ".join(" ".join(data for path, data in self.texts if within in path).split())


def check_page(page: str) -> Read:
    """Nested well; ids once, and whatever refers to one finds it; nothing that loads, sends or runs but our script."""
    read = Read(page)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for element, attributes in read.elements:
        assert set(attributes) <= ATTRIBUTES, (element, attributes)
        for name in ("for", "aria-labelledby"):
            assert name not in attributes or attributes[name] in ids
        assert "href" not in attributes or (attributes["href"][:1] == "#" and attributes["href"][1:] in ids)
    names = [element for element, _ in read.elements]
    assert names.count("script") == names.count("style") == 1
    assert not {"img", "iframe", "object", "embed", "link", "base", "form"} & set(names)
    return read
