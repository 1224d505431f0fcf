"""The bases of everything that travels as JSON. Frozen, camelCase; the names are the contract."""

import msgspec


class Struct(msgspec.Struct, frozen=True, rename="camel"):
    """Every field is written, null or not, so that readers need not guess."""


class CompactStruct(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Fields with their default value are left out: for what comes in thousands."""
