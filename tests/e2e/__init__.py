"""The whole stack on an AWS emulator: the real artifacts, deployed by the real template (docs/develop.md, `make e2e`)."""
