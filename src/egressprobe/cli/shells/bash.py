"""The script for bash, 3.2 (macOS) and later; it needs no bash-completion package."""

from collections.abc import Iterable, Iterator

from egressprobe.cli.shells.words import CommandWords, Option, Value

# What prints the values of a kind, one a line; shared with the other shells' scripts.
PROFILES = r"sed -n 's/^\[profile \(.*\)\]$/\1/p; s/^\[default\]$/default/p' "
PROFILES += r'"${AWS_CONFIG_FILE:-$HOME/.aws/config}" 2>/dev/null'
CONTEXTS = "kubectl config get-contexts -o name 2>/dev/null"

_SCRIPT = r"""# bash completion of egressprobe; add to ~/.bashrc: source <(egressprobe completion bash)
_egressprobe_reply() {
  local IFS=$'\n'
  COMPREPLY=($(compgen "$@" -- "$current"))
}

_egressprobe() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i
  # --output=json is three words: = ends a word, as COMP_WORDBREAKS has it.
  if [ "$current" = = ]; then
    current=
  elif [ "$before" = = ]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command:$before in
@VALUES@
  esac
  case $command:$current in
@OPTIONS@
  esac
}
complete -F _egressprobe egressprobe"""


def to_bash(top: Iterable[Option], commands: tuple[CommandWords, ...]) -> str:
    """The script, without a line end."""
    names = " ".join(command.name for command in commands)
    values = "\n".join(line for command in commands for line in _values(command))
    flags = [f"    :-*) _egressprobe_reply -W {_quoted(_flags(top))} ;;"]
    flags += [f"    :*) _egressprobe_reply -W {_quoted(names)} ;;"]
    for command in commands:
        flags.append(f"    {command.name}:-*) _egressprobe_reply -W {_quoted(_flags(command.options))} ;;")
        if command.positional:
            flags.append(f"    {command.name}:*) {_reply(command.positional)} ;;")
    return _SCRIPT.replace("@VALUES@", values).replace("@OPTIONS@", "\n".join(flags))


def _values(command: CommandWords) -> Iterator[str]:
    """After an option that takes a value, that value and nothing else."""
    for option in command.options:
        if option.value is not None:
            patterns = "|".join(f"{command.name}:{flag}" for flag in option.flags)
            yield f"    {patterns}) {_reply(option)}; return ;;"


def _reply(option: Option) -> str:
    match option.value:
        case Value.FILE:
            return "compopt -o filenames 2>/dev/null; _egressprobe_reply -f"
        case Value.DIRECTORY:
            return "compopt -o filenames 2>/dev/null; _egressprobe_reply -d"
        case Value.CHOICE:
            return f"_egressprobe_reply -W {_quoted(' '.join(option.choices))}"
        case Value.PROFILE:
            return f'_egressprobe_reply -W "$({PROFILES})"'
        case Value.CONTEXT:
            return f'_egressprobe_reply -W "$({CONTEXTS})"'
        case _:
            return ":"


def _flags(options: Iterable[Option]) -> str:
    return " ".join(flag for option in options for flag in option.flags)


def _quoted(words: str) -> str:
    r"""A word a line: IFS has nothing else, so that a name with a blank stays one word."""
    return "$'" + words.replace("\\", "\\\\").replace("'", "\\'").replace(" ", "\\n") + "'"
