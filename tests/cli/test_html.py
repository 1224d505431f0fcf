"""The HTML of a sheet, read back by a parser: whole, self-contained, bounded, and text of others stays text."""

import base64
import hashlib
import random
import re
from itertools import groupby

import pytest

from egressprobe.cli.output.html.markup import Html, joined, tag
from egressprobe.cli.output.html.matrix import by_column
from egressprobe.cli.output.html.page import MAX_BYTES, to_html
from egressprobe.cli.output.sheet import PathPicture, Sheet, SheetCell, SheetCheck, SheetHop, SheetProblem, SheetRow
from egressprobe.model.remedy import RemedySteps, Touched
from egressprobe.model.target import Verdict
from tests.support.pages import Read, check_page

_HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onclick='alert(1)",
    "</script><script>alert(1)//",
    "</style></title></svg></details>",
    "<!--",
    "]]>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;",
    "\x1b[2J\u202e\u2028\x00",
    "https://evil.example/",
    "url(//evil.example)",
)


def codes_of(read: Read) -> list[str]:
    """The text of each command."""
    grouped = groupby(read.texts, lambda text: " code" in text[0])
    return ["".join(data for _, data in texts) for inside, texts in grouped if inside]


def hops(*states, note="") -> tuple[SheetHop, ...]:
    return tuple(SheetHop("network ACL", f"acl-{i}", state, note if state == "blocked" else "") for i, state in enumerate(states))  # fmt: skip


def example(text=lambda value: value) -> Sheet:
    """A sheet with everything that a sheet can have; `text` makes each of its texts."""
    steps = RemedySteps(
        check=(text("aws ec2 describe-network-acls --network-acl-ids acl-1"),),
        fix=(text("aws ec2 delete-network-acl-entry --network-acl-id <ACL> --rule-number 90 --egress"), text("aws ec2 wait")),
        undo=(text("aws ec2 create-network-acl-entry --network-acl-id acl-1"),),
        touches=(Touched(text("acl-1"), (text("subnet-a"), text("subnet-b"))),),
        placeholders=(text("<ACL>"), "<NEW_NAT>"),
        notes=(text("Delete the entry."),),
        proven=True,
        proven_by=text("applied to the snapshot"),
    )  # fmt: skip
    picture = PathPicture(
        text("subnet-a"),
        text("192.0.2.1 port 443"),
        (
            *hops("open", "blocked", "not reached", note=text("rule 90 denies")),
            SheetHop("destination", "", "not reached"),
            SheetHop("network ACL", text("acl-9"), "blocked", text("replies"), returning=True),
        ),
        "closed",
    )
    cells = (
        SheetCell(
            *("subnet-a", text("FAIL connect_timeout"), Verdict.FAIL, "connect_timeout"),
            details=((text("cause"), text("no answer")), ("", text("twice")), ("fix", text("aws ec2 help"))),
            paths=(picture,),
        ),
        SheetCell(
            *("subnet-b", "12ms", Verdict.PASS, "", 0.012),
            phases=(("resolve", 0.001), ("connect", 0.002)),
            expires=1_800_000_000.0,
        ),
    )
    return Sheet(
        title=text("Preflight of prod"),
        headline=f"NO-GO: {text('two causes')}",
        verdict=Verdict.FAIL,
        decision="NO-GO",
        cluster=text("prod"),
        made_at=text("2026-11-26T10:00:00Z"),
        seconds=120.0,
        facts=((text("mode"), text("AWS_MANAGED")),),
        checks=(
            SheetCheck(text("ACTIVE"), "met", text("it is")),
            SheetCheck(text("route"), "not met", text("none")),
            SheetCheck(text("dns"), "unknown", ""),
        ),
        columns=(("eu-west-1a", "subnet-a"), (text("eu-west-1b"), "subnet-b"), ("eu-west-1c", "subnet-c")),
        rows=(
            SheetRow(
                *(text("hook"), "webhook", text("https://hook.example/"), Verdict.FAIL, "blocks", cells, text("broken")),
                tags=((text("switch relevant"), text("yes")),),
            ),
            SheetRow(text("issuer"), "oidc", text("https://i.example/"), Verdict.PASS, "", cells[1:], text("whole")),
        ),
        problems=(
            SheetProblem("NOTE", "info", text("by the way"), remedy=text("aws sts get-caller-identity")),
            SheetProblem(
                *("NACL_EGRESS_DENIED", "error", text("denied"), text("hook from subnet-a")),
                *(((text("rule"), text("90")),), "", steps, "nacl_egress_denied"),
            ),
        ),
        notes=(text("kubelets were not probed"),),
    )  # fmt: skip


PAGE = Read(to_html(example()))


def test_nothing_is_loaded_and_only_our_script_runs():
    """One script and one style, both named by the policy's hashes; all links lead into the page."""
    page = to_html(example())
    [policy] = [tag["content"] for tag in PAGE.of("meta") if tag.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        [content] = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
        assert "url(" not in content
        assert "@import" not in content
    check_page(page)


def test_texts_of_others_stay_texts():
    """Whatever they are: the elements are those of plain texts, nothing but text is added, no control character."""
    rng = random.Random(18)

    def hostile(value: str) -> str:
        return "".join(rng.sample(_HOSTILE, 3)) + value

    def elements(read):
        """A picture folds its texts, and a command has an element for each word: they are not compared."""
        return [(tag, sorted(attributes)) for tag, attributes in read.elements if tag not in ("text", "span")]

    # A long text in front, as the hostile ones are: what begins with a program's name is a command.
    page = to_html(example(hostile))
    plain = Read(to_html(example(lambda value: "plain " * 20 + value)))
    assert elements(Read(page)) == elements(plain)
    assert set(page) & set(map(chr, (*range(32), *range(127, 160), 0x202E, 0x2028))) <= {"\n"}
    assert "alert(1)" in Read(page).text()  # they are there, to be read


def test_a_command_is_copied_as_it_was():
    """Character references are undone by the browser, so the text of `code` is the command."""
    codes = codes_of(PAGE)
    assert "aws ec2 delete-network-acl-entry --network-acl-id <ACL> --rule-number 90 --egress" in codes
    long = "aws ec2  help --query '[?A == `b`]' " + "x" * 5000
    sheet = example()._replace(problems=(SheetProblem("A", "error", "b", steps=RemedySteps(fix=(long,))),))
    assert long in codes_of(Read(to_html(sheet)))


def test_a_text_that_looks_like_a_command_is_none():
    """What a server or an object of the cluster says gets no copy button, wherever it is."""
    trap = "aws iam create-access-key --user-name admin"
    cell = SheetCell("subnet-a", trap, Verdict.FAIL, details=(("cause", trap), ("apiserver", trap), ("", trap)))
    row = SheetRow(trap, trap, trap, Verdict.FAIL, trap, (cell,), trap, ((trap, trap),))
    problem = SheetProblem(
        "A", "error", trap, trap, ((trap, trap),), steps=RemedySteps(notes=(trap,), fix=("aws sts",))
    )
    sheet = example()._replace(
        rows=(row,), problems=(problem,), facts=((trap, trap),), notes=(trap,), checks=(SheetCheck(trap, "met", trap),)
    )
    assert codes_of(Read(to_html(sheet))) == ["aws sts"]


def test_words_beside_colours():
    """Verdicts, states of checks, severities, states of hops, and whether a fix is proven."""
    text = PAGE.text()
    for word in (
        "NO-GO",
        "FAIL connect_timeout",
        "met",
        "NOT MET",
        "UNKNOWN",
        "ERROR",
        "BLOCKED",
        "not reached",
        "CLOSED",
    ):
        assert word in text
    assert PAGE.text("h1") == "✕ NO-GO two causes"
    assert PAGE.text("title") == "NO-GO - Preflight of prod"
    assert "Proven: applied to the snapshot" in text
    assert "pass 12ms" in PAGE.text("table tbody tr td a")  # for those who do not see the sign
    order = [text.index(word) for word in ("Check first", "Delete the entry.", "Proven:", "Replace", "Undo")]
    assert order == sorted(order)


@pytest.mark.parametrize(("headline", "decision", "shown"), [
    ("NO-GO hook: it fails; 1 more", "NO-GO", "✕ NO-GO hook: it fails; 1 more"),
    ("FAIL: 2 fail", "", "✕ FAIL 2 fail"),
    ("prod: FAIL; 2 errors", "", "✕ FAIL prod: FAIL; 2 errors"),
    ("FAILOVER is off", "", "✕ FAIL FAILOVER is off"),
    ("FAIL", "", "✕ FAIL"),
])  # fmt: skip
def test_the_headline_begins_with_what_was_decided(headline, decision, shown):
    """Once: in the words of the report where it begins with them."""
    assert Read(to_html(example()._replace(headline=headline, decision=decision))).text("h1") == shown


def test_a_fix_that_was_not_carried_out_says_so():
    """General advice, and steps without proof."""
    for problem in (
        SheetProblem("A", "warning", "b", remedy="Ask the owner.\naws ec2 help"),
        SheetProblem("A", "warning", "b", steps=RemedySteps(fix=("aws ec2 help",))),
    ):
        text = Read(to_html(example()._replace(problems=(problem,)))).text("article")
        assert "Not proven" in text
        assert "Proven" not in text
        assert "aws ec2 help" in text


def test_the_picture_has_a_text_alternative():
    """In the order of the packets, return traffic apart."""
    [label] = [attributes["aria-label"] for attributes in PAGE.of("svg") if attributes.get("role") == "img"]
    assert label == (
        "Path from subnet-a, CLOSED: network ACL acl-0 open, network ACL acl-1 BLOCKED, network ACL acl-2 not reached, "
        "destination 192.0.2.1 port 443 not reached; return traffic: network ACL acl-9 BLOCKED"
    )


def test_what_blocks_links_to_its_fix():
    """The element has the sentence of the finding; without such a problem there is no link."""
    assert not [attributes for attributes in PAGE.of("a") if attributes.get("class") == "fix"]
    problem = SheetProblem("NACL_EGRESS_DENIED", "error", "rule 90 denies", remedy="Ask the owner.")
    read = Read(to_html(example()._replace(problems=(*example().problems, problem))))
    assert [attributes["href"] for attributes in read.of("a") if attributes.get("class") == "fix"] == ["#p1"]
    assert read.of("article")[1]["id"] == "p1"


def test_elements_are_drawn_once():
    """Paths that differ in the subnet only refer to the same drawing."""
    row = example().rows[0]
    shared = [row.cells[0]._replace(column=name, details=((name, "differs"),)) for name in ("subnet-a", "subnet-b")]
    read = Read(to_html(example()._replace(rows=(row._replace(cells=tuple(shared)),))))
    assert [attributes["href"] for attributes in read.of("use")] == ["#hops0", "#hops0"]
    assert len(read.of("g")) == 1


def test_cells_go_under_their_column():
    """By its second line; several of one column below each other; an unknown name by its place."""
    cells = tuple(SheetCell(name, name, Verdict.PASS) for name in ("b", "b", "elsewhere", "zone"))
    row = example().rows[0]._replace(cells=cells)
    placed = by_column(row, (("zone", "a"), ("zone", "b"), ("other", "c")))
    assert [[number for number, _ in column] for column in placed] == [[3], [0, 1], [2]]


def test_parts_that_a_sheet_has_not_are_not_there():
    """No empty section, no link to one."""
    empty = Sheet("t", "pass", Verdict.PASS, "", "now", 0.0)
    read = Read(to_html(empty))
    assert read.of("section") == read.of("a") == []
    assert read.text("h1") == "✓ pass"
    [row] = example().rows[1:]
    assert read.text("footer") == "Made by egressprobe, now."
    assert "t0c0" in to_html(empty._replace(rows=(row,)))  # rows without columns keep their details


def _large(subnets: int, targets: int) -> Sheet:
    """Every cell with an explanation and a path of its own."""
    rng = random.Random(1)

    def cell(row: int, subnet: int) -> SheetCell:
        words = " ".join(f"word{rng.randrange(10**9)}" for _ in range(30))
        chain = (SheetHop("route table", f"rtb-{row:05}{subnet:05}", "open"), SheetHop("destination", "", "open"))
        path = PathPicture(f"subnet-{subnet}", "192.0.2.1 port 443", chain, "open")
        verdict = Verdict.FAIL if row % 20 == 19 else Verdict.PASS
        return SheetCell(f"subnet-{subnet}", "12ms", verdict, "", 0.012, details=(("cause", words),), paths=(path,))

    columns = tuple(("eu-west-1a", f"subnet-{i}") for i in range(subnets))
    rows = []
    for row in range(targets):
        cells = tuple(cell(row, subnet) for subnet in range(subnets))
        rows.append(SheetRow(f"target-{row}", "webhook", "https://x.example/", cells[0].verdict, "blocks", cells))
    return Sheet("t", "FAIL: much", Verdict.FAIL, "prod", "now", 1.0, columns=columns, rows=tuple(rows))


@pytest.mark.parametrize(
    ("subnets", "targets", "more"),
    [(4, 40, 80_000), (4, 40, 3_000), pytest.param(16, 200, None, marks=pytest.mark.thorough)],
)
def test_its_size_is_bounded(record_property, monkeypatch, subnets, targets, more):
    """What fails keeps everything, then what passes as far as it fits; the page says what was left out, and where.

    more: than the page without explanations has, in bytes; None for the bound as it is.
    """
    sheet, most = _large(subnets, targets), MAX_BYTES
    if more is not None:
        bare = (
            row._replace(cells=tuple(cell._replace(details=(), paths=()) for cell in row.cells)) for row in sheet.rows
        )
        most = len(to_html(sheet._replace(rows=tuple(bare))).encode()) + more
        monkeypatch.setattr("egressprobe.cli.output.html.page.MAX_BYTES", most)
    page = to_html(sheet)
    record_property("said", f"HTML of {subnets} subnets x {targets} targets: {len(page.encode()) / 1e6:.1f} MB")
    assert len(page.encode()) <= most < 5_000_000
    failing = re.findall(r'<details class="target fail".*?</details>', page, re.DOTALL)
    assert len(failing) == targets // 20
    assert all(block.count("<svg") == subnets and "word" in block and "left out" not in block for block in failing)
    notes = re.search('<section id="notes".*', page, re.DOTALL)[0]
    counted = {
        what: int(count)
        for what, count in re.findall(rf"<li>(\w+).*? of (\d+) of {targets} targets are left out", notes)
    }
    here = {what: page.count(f">{what} are left out here") for what in ("Explanations and paths", "Details")}
    assert counted == {what.partition(" ")[0]: count for what, count in here.items() if count}
    assert counted
    assert ("Details" in counted) == (more == 3_000)
    assert len(re.findall('id="t\\d+"', page)) == targets
    used = {int(number) for number in re.findall('href="#hops(\\d+)"', page)}
    assert used == {int(number) for number in re.findall('id="hops(\\d+)"', page)}


def test_only_tag_makes_markup():
    """A str is text, wherever it is; None of an attribute's values ends it."""
    assert tag("p", {"id": '"<'}, "<b>", Html("<i></i>")) == '<p id="&quot;&lt;">&lt;b&gt;<i></i></p>'
    assert joined(["<", tag("br")]) == "&lt;<br>"
    assert not isinstance(Html("<b>") + "x", Html)  # what is put together elsewhere is text again
