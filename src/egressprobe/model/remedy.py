"""How to fix a finding or failure, as data. Its text for people is the field `remedy` beside it."""

from egressprobe.model.struct import Struct


class Touched(Struct, frozen=True):
    """Something that the fix changes, by id, and what else uses it: subnets, interfaces, route tables."""

    id: str
    used_by: tuple[str, ...] = ()


class RemedySteps(Struct, frozen=True):
    """Commands, one a line, in the order in which they are made.

    check: only read; to be made first. undo: take `fix` back. placeholders: words in angle brackets in any of them, to
    be replaced, each once. notes: sentences. proven: whether the fix was carried out on a snapshot of the VPC and did
    what it is for and nothing else; proven_by says how, empty if it was not.
    """

    check: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    touches: tuple[Touched, ...] = ()
    placeholders: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    proven: bool = False
    proven_by: str = ""
