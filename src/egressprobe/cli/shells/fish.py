"""The script for fish."""

from collections.abc import Iterable, Iterator

from egressprobe.cli.shells.bash import CONTEXTS
from egressprobe.cli.shells.words import CommandWords, Option, Value

_HEAD = r"""# fish completion of egressprobe
# To use it: egressprobe completion fish > ~/.config/fish/completions/egressprobe.fish
function __egressprobe_profiles
    set -q AWS_CONFIG_FILE; and set -l file $AWS_CONFIG_FILE; or set -l file ~/.aws/config
    string match -rg '^\[(default)\]$' <$file 2>/dev/null
    string match -rg '^\[profile (.*)\]$' <$file 2>/dev/null
end
complete -c egressprobe -f"""


def to_fish(top: Iterable[Option], commands: tuple[CommandWords, ...]) -> str:
    """The script, without a line end."""
    lines = [_HEAD, *(_line("__fish_use_subcommand", option) for option in top)]
    for command in commands:
        lines.append(f"complete -c egressprobe -n __fish_use_subcommand -a {command.name} -d {_quoted(command.text)}")
        lines.extend(_command(command))
    return "\n".join(lines)


def _command(command: CommandWords) -> Iterator[str]:
    here = f"__fish_seen_subcommand_from {command.name}"
    for option in command.options:
        yield _line(here, option)
    positional = command.positional
    if positional and positional.value is not Value.WORD:
        yield f"complete -c egressprobe -n {_quoted(here)} {_arguments(positional)}"


def _line(condition: str, option: Option) -> str:
    flags = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
    value = "" if option.value is None else f" -r {_arguments(option)}"
    text = _quoted(option.text)
    return f"complete -c egressprobe -n {_quoted(condition)} {' '.join(flags)}{value} -d {text}"


def _arguments(option: Option) -> str:
    match option.value:
        case Value.FILE:
            return "-F"
        case Value.DIRECTORY:
            return "-x -a '(__fish_complete_directories)'"
        case Value.CHOICE:
            return f"-x -a {_quoted(' '.join(option.choices))}"
        case Value.PROFILE:
            return "-x -a '(__egressprobe_profiles)'"
        case Value.CONTEXT:
            return f"-x -a '({CONTEXTS})'"
        case _:
            return "-x"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
