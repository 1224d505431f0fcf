"""What pasted errors mean, for a person and as data."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from egressprobe.catalog.pasted.meanings import Meaning, call_limit, meanings, phase
from egressprobe.catalog.pasted.next_steps import next_steps
from egressprobe.catalog.pasted.place import api_service, is_loopback, is_without_kubeconfig, place, whose_call
from egressprobe.catalog.pasted.recognise import Recognised
from egressprobe.catalog.registry import struct_dict
from egressprobe.cli.output.explanation import SCHEMA, hanging, json_text
from egressprobe.cli.output.terminal import paragraph, printable, some
from egressprobe.model.target import Kind
from egressprobe.net.urls import shown_text

_WIDTH, _INDENT = 96, 9
_MOST_SHOWN = 5  # errors of one paste that a person is shown
_MOST_TEXT = 1500  # characters of the error itself
_NOT_A_PATH = "This is not a path problem: "
_OTHER = "This is not a call of the API server, so what egressprobe probes has no part in it: "
_CLIENT = (
    "This is between the client and the API server, not a call of the API server: what egressprobe probes has no part "
    "in it. The URL is the cluster's endpoint."
)
_NO_KUBECONFIG = (
    "kubectl does not know the cluster: without a kubeconfig, or without a current context in it, it calls "
    "localhost:8080. Nothing is known about the cluster or its webhooks yet."
)
_LOOPBACK = (
    "The API server calls its own computer: EKS runs such webhooks on the control plane. Nothing in your VPC is on "
    "this path: if it goes on failing, ask AWS Support."
)
_FAILS_OPEN = "The webhook fails open (failurePolicy Ignore): the request went through unchecked."


class PastedError(NamedTuple):
    """One error with everything that is shown about it."""

    error: Recognised
    text: str
    meanings: tuple[Meaning, ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    next: tuple[str, ...]


def described(error: Recognised) -> PastedError:
    ranked = meanings(error)
    return PastedError(
        error=error,
        text=shown_text(" ".join(error.text.split())[:_MOST_TEXT]),
        meanings=ranked,
        facts=tuple(_facts(error, ranked)),
        notes=tuple(_notes(error)),
        next=next_steps(error, ranked),
    )


def _facts(error: Recognised, ranked: Sequence[Meaning]) -> Iterator[tuple[str, str]]:
    at, limit = place(error), call_limit(error)
    if error.verdict is None:
        yield "call", whose_call(error)
    yield "webhook", error.values.get("webhook", "")
    yield "api", api_service(error)
    yield "url", at.url
    yield "host", at.host
    yield "port", at.port
    yield "service", f"{at.namespace}/{at.service}" if at.service else ""
    yield "address", error.values.get("endpoint") or error.values.get("remote", "")
    yield "server", error.values.get("server", "")
    yield "limit", f"{limit} s" if limit else ""
    if ranked:
        yield "phase", phase(ranked) or "not in the text"


def _notes(error: Recognised) -> Iterator[str]:
    if error.verdict is not None:
        yield f"{_OTHER if error.verdict.other else _NOT_A_PATH}{error.verdict.what}."
    elif error.by_client:
        yield _NO_KUBECONFIG if is_without_kubeconfig(place(error)) else _CLIENT
    if error.fails_open:
        yield _FAILS_OPEN
    if error.kind is Kind.WEBHOOK and is_loopback(place(error)):
        yield _LOOPBACK


def to_text(errors: Sequence[Recognised], width: int | None = None) -> str:
    """width: of the terminal; commands are never folded."""
    parts = ["\n".join(_lines(described(error), width or _WIDTH)) for error in errors[:_MOST_SHOWN]]
    more = len(errors) - _MOST_SHOWN
    if more > 0:
        parts.append(f"{more} more errors are in the text; -o json has all of them.")
    return "\n\n".join(parts)


def _lines(pasted: PastedError, width: int) -> Iterator[str]:
    times = f" ({pasted.error.times} times)" if pasted.error.times > 1 else ""
    first, *more = paragraph(pasted.text + times, width - 2)
    yield first
    yield from (f"  {part}" for part in more)
    if any(value for _, value in pasted.facts):
        yield ""
    for name, value in pasted.facts:
        if value:
            yield from hanging(f"{name:<{_INDENT}}", printable(value), width)
    for note in pasted.notes:
        yield from ("", *paragraph(note, width))
    if pasted.meanings:
        shown = [meaning for meaning in pasted.meanings if meaning.rank < 3] or pasted.meanings
        yield from ("", "This may mean:" if len(shown) > 1 else "This means:")
        columns = max(len(meaning.entry.code) for meaning in shown)
        before = ""
        for meaning in shown:
            head = f"  {meaning.rank}  {meaning.entry.code:<{columns}}  "
            yield from hanging(head, meaning.entry.summary, width)
            if meaning.why != before:
                yield from hanging(" " * 5, f"because: {printable(meaning.why)}", width)
            before = meaning.why
        rarer = [meaning.entry.code for meaning in pasted.meanings if meaning not in shown]
        if rarer:
            yield from hanging("  rarer: ", some(rarer), width)
    if pasted.next:
        yield from ("", "Next:", *(f"  {printable(command)}" for command in pasted.next))


def to_json(errors: Sequence[Recognised]) -> str:
    """Every error; `error`, `entries` and `next` at the top are those of the first."""
    documents = [_document(described(error)) for error in errors]
    first = documents[0]
    entries = [struct_dict(meaning.entry) for meaning in described(errors[0]).meanings if meaning.rank < 3]
    return json_text(
        {
            "schemaVersion": SCHEMA,
            "error": first["error"],
            "entries": entries,
            "next": first["next"],
            "errors": documents,
        }
    )


def _about(error: Recognised) -> str:
    if error.verdict is not None:
        return "other" if error.verdict.other else "decision"
    return "client" if error.by_client else "call"


def _document(pasted: PastedError) -> dict[str, Any]:
    error = pasted.error
    return {
        "error": pasted.text,
        "times": error.times,
        "about": _about(error),
        "kind": str(error.kind) if error.kind else None,
        "pathProblem": error.verdict is None and not error.by_client,
        "facts": {name: value for name, value in pasted.facts if value},
        "meanings": [
            {"code": m.entry.code, "rank": m.rank, "why": m.why, "summary": m.entry.summary} for m in pasted.meanings
        ],
        "notes": pasted.notes,
        "next": pasted.next,
    }
