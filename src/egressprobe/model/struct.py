"""The bases of everything that travels as JSON. Frozen, camelCase; the names are the contract.

gc=False: values are trees without cycles, so the garbage collector need not look at the thousands of a run.
"""

import msgspec


class Struct(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Every field is written, null or not, so that readers need not guess."""


class CompactStruct(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Fields with their default value are left out: for what comes in thousands."""
