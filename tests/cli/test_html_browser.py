"""The HTML report in a real browser: nothing is logged, nothing is requested; what is pressed works, with and without
JavaScript; accessible in light and dark, wide and narrow; it prints what does not pass.
"""

import io
import json
from pathlib import Path

import pytest

from egressprobe.cli.output.formats import render
from egressprobe.cli.output.html.page import to_html
from egressprobe.cli.output.sheets.preflight import preflight_sheet
from tests.cli.test_html import _HOSTILE, _large, example
from tests.support.browser import AXE, Browser
from tests.support.preflight_example import example_preflight
from tests.support.reports import SAMPLES

pytestmark = [pytest.mark.browser, pytest.mark.thorough]

_CELL = "#matrix a[href='#t0c0']"
_STATE = """(() => {
  const details = document.getElementById('t0'), link = document.querySelector("#matrix a[href='#t0c0']");
  return {
    open: details.open,
    inPlace: details.closest('tr.drill')?.previousElementSibling.contains(link) ?? false,
    chosen: document.getElementById('t0c0').classList.contains('chosen'),
    expanded: link.getAttribute('aria-expanded'),
    focus: document.activeElement === link ? 'link' : details.contains(document.activeElement) ? 'details' : '',
    seen: [...details.querySelectorAll('svg')].some((drawing) => drawing.checkVisibility()),
  };
})()"""
_OPENED = {"open": True, "inPlace": True, "chosen": True, "expanded": "true", "seen": True}
_CLOSED = {"open": False, "inPlace": False, "chosen": False, "expanded": "false", "seen": False}


_RULES = (
    "axe.run(document, {resultTypes: ['violations']})"
    ".then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html + n.failureSummary)]))"
)


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        opened.call("Emulation.setFocusEmulationEnabled", {"enabled": True})
        given = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
        opened.call("Browser.grantPermissions", given, session=None)
        yield opened


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("html") / "report.html"
    file.write_text(to_html(example()))
    return file


@pytest.fixture(autouse=True)
def _as_new(browser):
    browser.media("light")
    browser.size(1280, 900)


def _state(browser, *names):
    state = browser.run(_STATE)
    return {name: state[name] for name in names or _OPENED}


@pytest.mark.parametrize(("scheme", "medium", "width"), [
    ("light", "", 1280), ("dark", "", 1280), ("light", "", 390), ("dark", "", 390), ("light", "print", 794),
])  # fmt: skip
def test_nothing_is_logged_and_nothing_requested(browser, report, scheme, medium, width):
    """Only the file itself; no page is wider than its window."""
    browser.media(scheme, medium)
    browser.size(width, 900)
    browser.open(report)
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.picture()
    assert browser.reported() == []
    assert browser.requested() == [report.as_uri()]
    dark = browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    assert dark == (scheme == "dark")


def test_hostile_texts_do_nothing(browser, tmp_path):
    """No dialog, no element, no request, nothing logged, whatever the texts of others are."""
    file = tmp_path / "hostile.html"
    file.write_text(to_html(example(lambda value: "".join(_HOSTILE) + value)))
    browser.open(file)
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.picture()
    assert browser.run("document.querySelectorAll('img, iframe, body script ~ *').length") == 0
    assert not [event for event in browser.events if event.get("method") == "Page.javascriptDialogOpening"]
    assert browser.reported() == []
    assert browser.requested() == [file.as_uri()]


def test_the_policy_is_enforced(browser, report):
    """No other script runs, no style applies, nothing is fetched, even if markup came in."""
    browser.open(report)
    assert browser.run("""(async () => {
      const script = document.createElement('script');
      script.textContent = 'window.ran = true';
      document.body.append(script);
      document.body.setAttribute('style', 'color: rgb(1, 2, 3)');
      const image = new Image();
      const loaded = new Promise((done) => { image.onload = () => done(true); image.onerror = () => done(false); });
      image.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==';
      const fetched = await fetch('data:,x').then(() => true, () => false);
      return [window.ran ?? false, getComputedStyle(document.body).color === 'rgb(1, 2, 3)', await loaded, fetched];
    })()""") == [False, False, False, False]


def test_a_cell_opens_its_details_below_its_row(browser, report):
    """By mouse; pressed again it closes, and the details are back where they were."""
    browser.open(report)
    browser.click(_CELL)
    assert _state(browser) == _OPENED
    browser.click(_CELL)
    assert _state(browser) == _CLOSED
    assert browser.run("document.getElementById('t0').parentElement.id") == "details"
    browser.click(_CELL)
    browser.click("#matrix a[href='#t1']")
    assert _state(browser) == _CLOSED
    assert browser.run("document.querySelectorAll('tr.drill').length") == 1
    assert browser.reported() == []


def test_by_keyboard(browser, report):
    """Enter opens and takes the focus there; Escape closes and brings it back."""
    browser.open(report)
    browser.run(f"document.querySelector({json.dumps(_CELL)}).focus()")
    browser.press("Enter")
    assert _state(browser) == _OPENED
    assert _state(browser, "focus") == {"focus": "details"}
    browser.press("Escape")
    assert _state(browser) == _CLOSED
    assert _state(browser, "focus") == {"focus": "link"}


def test_a_link_to_a_cell_opens_it(browser, report):
    """The address of a cell, sent to a colleague."""
    browser.open(report, "#t0c0")
    assert _state(browser, "open", "seen") == {"open": True, "seen": True}


def test_without_javascript(browser, report):
    """Links open the details, and what needs JavaScript is not shown."""
    browser.call("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(report, "#t0c0")
        root = browser.call("DOM.getDocument")["root"]["nodeId"]

        def node(selector):
            return browser.call("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]

        assert "open" in browser.call("DOM.getAttributes", {"nodeId": node("#t0")})["attributes"]
        assert browser.call("DOM.getBoxModel", {"nodeId": node("#t0 svg")})["model"]["height"] > 100
        for hidden in ("button.copy", ".tools"):
            assert "hidden" in browser.call("DOM.getAttributes", {"nodeId": node(hidden)})["attributes"]
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("allowed", [True, False], ids=["by the clipboard", "by a selection"])
def test_what_is_copied_is_the_command(browser, report, allowed):
    """Of each button, and of all commands of a fix; also where a browser denies the clipboard."""
    browser.open(report)
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    if not allowed:
        browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error('denied'))")
    every = browser.run("document.querySelectorAll('button.copy').length")
    assert every >= 6
    for number in range(every):
        browser.run(
            f"[...document.querySelectorAll('button.copy')].forEach((b, i) => b.id = i === {number} ? 'now' : '')"
        )
        browser.click("#now")
        text, shown, label = browser.run(
            "new Promise((done) => setTimeout(done, 50)).then(async () => [await navigator.clipboard.readText(),"
            " document.getElementById('now').previousElementSibling.textContent, document.getElementById('now').textContent])"
        )
        assert (text, label) == (shown, "Copied")
        assert text.startswith(("aws ", "egressprobe "))
    browser.click("button.copy-all")
    text = browser.run("new Promise((done) => setTimeout(done, 50)).then(() => navigator.clipboard.readText())")
    assert text == "aws ec2 delete-network-acl-entry --network-acl-id <ACL> --rule-number 90 --egress\naws ec2 wait"
    assert browser.reported() == []


def test_filter_and_expand_all(browser, report):
    """Rows and their details by text and verdict; a group without rows goes too; the count is announced."""
    browser.open(report)
    shown = """[
      [...document.querySelectorAll('.matrix tr:not([hidden]) .name')].map((name) => name.textContent),
      [...document.querySelectorAll('.matrix tr.group:not([hidden])')].map((group) => group.textContent),
      [...document.querySelectorAll('details.target:not([hidden])')].map((details) => details.id),
      document.getElementById('count').textContent,
    ]"""
    everything = [["hook", "issuer"], ["broken", "whole"], ["t0", "t1"], ""]
    assert browser.run(shown) == everything
    browser.run("document.getElementById('filter').focus()")
    browser.call("Input.insertText", {"text": "ISS"})
    assert browser.run(shown) == [["issuer"], ["whole"], ["t1"], "1 of 2 targets"]
    browser.run(
        "(() => { const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input')); })()"
    )
    assert browser.run(shown) == everything
    browser.run(
        "(() => { const v = document.getElementById('verdicts'); v.value = 'fail'; v.dispatchEvent(new Event('change')); })()"
    )
    assert browser.run(shown) == [["hook"], ["broken"], ["t0"], "1 of 2 targets"]
    opened = "[...document.querySelectorAll('details.target')].map((details) => details.open)"
    browser.click("#expand")
    assert browser.run(opened) == [True, False]
    browser.click("#expand")
    assert browser.run(opened) == [False, False]


def test_print_shows_what_does_not_pass(browser, report):
    """Closed details of what fails are open on paper, what passes is left out, and there are no buttons."""
    browser.open(report)
    listed = "['#t0 svg', '.evidence dl', '#t1', 'button.copy', '.tools']"
    visible = f"{listed}.filter((selector) => document.querySelector(selector).checkVisibility())"
    assert browser.run(visible) == ["#t1", "button.copy", ".tools"]
    browser.media("dark", "print")
    assert browser.run(visible) == ["#t0 svg", ".evidence dl"]
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.axe
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(browser, report, scheme, width):
    """No rule of axe-core is broken, with details closed, in place, and all open."""
    browser.media(scheme)
    browser.size(width, 900)
    browser.open(report)
    # By the protocol: the page's own policy lets no other script in.
    browser.run(AXE.read_text())
    assert browser.run(_RULES) == []
    browser.click(_CELL)
    assert browser.run(_RULES) == []
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert browser.run(_RULES) == []


@pytest.mark.axe
@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_every_kind_of_report(browser, tmp_path, kind):
    """Nothing is logged or requested, a cell opens, no rule of axe-core is broken, on a telephone too."""
    file = tmp_path / "report.html"
    file.write_text(render(SAMPLES[kind](), "html", io.StringIO()))
    browser.open(file)
    browser.click("#matrix a.cell")
    assert browser.run("document.querySelector('tr.drill details').open")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.run(AXE.read_text())
    assert browser.run(_RULES) == []
    browser.size(390, 900)
    assert browser.run("document.documentElement.scrollWidth") <= 390
    assert browser.reported() == []
    assert browser.requested() == [file.as_uri()]


@pytest.mark.axe
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_preflight_with_its_pictures(browser, tmp_path, scheme, width):
    """NO-GO of three subnets, twelve targets and both families: from a cell by what blocks to its fix; accessible."""
    file = tmp_path / "preflight.html"
    file.write_text(to_html(preflight_sheet(example_preflight())))
    browser.media(scheme)
    browser.size(width, 900)
    browser.open(file)
    browser.click("#matrix a.cell.fail")
    seen = "[...document.querySelectorAll('tr.drill .block.chosen svg')].map((drawing) => drawing.getAttribute('aria-label'))"
    [label] = browser.run(seen)
    assert "NAT gateway nat-0a9e1c7d5b3f64280 BLOCKED" in label
    # Elements that are drawn once are seen in every picture: what blocks is filled with the colour of failures.
    drawn = browser.run("getComputedStyle(document.querySelector('.dot.stop')).fill")
    assert drawn == browser.run("getComputedStyle(document.querySelector('.pill.fail')).color")
    browser.click("tr.drill .block.chosen a.fix")
    top = browser.run("document.querySelector(location.hash).getBoundingClientRect().top")
    assert 0 <= top < 900
    assert "NAT_NOT_AVAILABLE" in browser.run("document.querySelector(location.hash).textContent")
    browser.run(AXE.read_text())
    assert browser.run(_RULES) == []
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.reported() == []
    assert browser.requested() == [file.as_uri()]


def test_a_large_report_opens(browser, tmp_path, record_property):
    """16 subnets x 200 targets, every cell with an explanation of its own: a cell opens, the filter filters."""
    file = tmp_path / "large.html"
    file.write_text(to_html(_large(16, 200)))
    browser.open(file)
    milliseconds = browser.run(
        "(() => { const [t] = performance.getEntriesByType('navigation'); return t.loadEventEnd - t.startTime; })()"
    )
    record_property("said", f"HTML of 16 subnets x 200 targets: loaded in {milliseconds:.0f} ms")
    browser.click(_CELL)
    assert browser.run("document.getElementById('t0').open")
    browser.run(
        "(() => { const f = document.getElementById('filter'); f.value = 'target-19'; f.dispatchEvent(new Event('input')); })()"
    )
    assert browser.run("document.getElementById('count').textContent") == "11 of 200 targets"
    assert browser.reported() == []
