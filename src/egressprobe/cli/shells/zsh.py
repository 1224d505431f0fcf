"""The script for zsh, by its own `_arguments`."""

from collections.abc import Iterable, Iterator

from egressprobe.cli.shells.bash import CONTEXTS, PROFILES
from egressprobe.cli.shells.words import CommandWords, Option, Value

_SCRIPT = r"""#compdef egressprobe
# zsh completion of egressprobe; add to ~/.zshrc after compinit: source <(egressprobe completion zsh)
_egressprobe_profiles() {
  local -a names=("${(@f)$(@PROFILES@)}")
  compadd -a names
}

_egressprobe_contexts() {
  local -a names=("${(@f)$(@CONTEXTS@)}")
  compadd -a names
}

_egressprobe_commands() {
  local -a commands=(
@COMMANDS@
  )
  _describe command commands
}

_egressprobe() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C \
@TOP@
    '1: :_egressprobe_commands' \
    '*:: :->rest' && return
  case $words[1] in
@CASES@
  esac
}

if [ "${funcstack[1]}" = _egressprobe ]; then
  _egressprobe "$@"
else
  compdef _egressprobe egressprobe
fi"""


def to_zsh(top: Iterable[Option], commands: tuple[CommandWords, ...]) -> str:
    """The script, without a line end."""
    named = "\n".join(f"    {_quoted(f'{command.name}:{command.text}')}" for command in commands)
    outer = "\n".join(f"    {spec} \\" for option in top for spec in _specs(option))
    cases = "\n".join(line for command in commands for line in _case(command))
    script = _SCRIPT.replace("@PROFILES@", PROFILES).replace("@CONTEXTS@", CONTEXTS)
    return script.replace("@COMMANDS@", named).replace("@TOP@", outer).replace("@CASES@", cases)


def _case(command: CommandWords) -> Iterator[str]:
    specs = [spec for option in command.options for spec in _specs(option)]
    if command.positional:
        specs.append(_quoted(f"*:{_plain(command.positional.text)}:{_action(command.positional)}"))
    yield f"    {command.name})"
    yield "      _arguments -s -S " + " \\\n        ".join(specs)
    yield "      ;;"


def _specs(option: Option) -> Iterator[str]:
    """One for each flag; without `*` the others of the same option go once it is given."""
    others = "*" if option.repeats else f"({' '.join(option.flags)})"
    for flag in option.flags:
        value = "" if option.value is None else f":{_plain(option.text)}:{_action(option)}"
        yield _quoted(f"{others}{flag}[{_plain(option.text)}]{value}")


def _action(option: Option) -> str:
    match option.value:
        case Value.FILE:
            return "_files"
        case Value.DIRECTORY:
            return "_files -/"
        case Value.CHOICE:
            return f"({' '.join(option.choices)})"
        case Value.PROFILE:
            return "_egressprobe_profiles"
        case Value.CONTEXT:
            return "_egressprobe_contexts"
        case _:
            return " "


def _plain(text: str) -> str:
    """Without what _arguments reads: brackets, colons, backslashes."""
    return text.replace("[", "(").replace("]", ")").replace(":", " -").replace("\\", "/")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
