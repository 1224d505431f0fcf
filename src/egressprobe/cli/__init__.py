"""The command line: one file a command in `commands/`, what people read in `output/`.

Results go to stdout, messages to stderr. A command is a module with `add_parser(commands)` and `run(options)`; it
imports what it needs inside `run`, so that no command pays for another's imports. Exit codes: common/exit_codes.py.

Public: main.main.
"""
