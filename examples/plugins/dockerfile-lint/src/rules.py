"""The rules: each is a function from a Dockerfile's instructions to what it finds in them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from dockerfile import Instruction, base, parse, stages

SEVERITIES = ("refuse", "warn", "off")
SECRET = re.compile(r"(?i)\b(\w*(?:password|passwd|secret|token|api_?key)\w*)(?:=|\s+)\S")
REMOTE = re.compile(r"(?i)(?:^|\s)(?:https?|git)://")


@dataclass(frozen=True)
class Finding:
    line: int
    message: str
    hint: str
    rule: str = ""


Rule = Callable[[list[Instruction]], Iterator[Finding]]
RULES: dict[str, tuple[Rule, str]] = {}


def rule(severity: str) -> Callable[[Rule], Rule]:
    """Registers a rule with what it does by default; `_` in its name is `-` in plugins.toml."""

    def register(function: Rule) -> Rule:
        RULES[function.__name__.replace("_", "-")] = (function, severity)
        return function

    return register


@rule("refuse")
def unpinned_base(instructions: list[Instruction]) -> Iterator[Finding]:
    known = {"scratch"}
    for found in (i for i in instructions if i.keyword == "FROM"):
        image, name = base(found)
        _, _, tag = image.rpartition("/")[2].partition(":")
        if image.lower() not in known and "@" not in image and "$" not in image:
            if tag in ("", "latest"):
                hint = f"write a version, such as {image.removesuffix(':latest')}:1.2"
                yield Finding(found.line, f"`{image}` is another image every time", hint)
        known.add(name)


@rule("refuse")
def secret_in_image(instructions: list[Instruction]) -> Iterator[Finding]:
    for found in instructions:
        if found.keyword in ("ENV", "ARG") and (name := SECRET.search(found.rest)):
            hint = f"take {name[1]} out, and pass it when the container runs"
            yield Finding(found.line, f"{name[1]} can be read in the image", hint)


@rule("refuse")
def remote_add(instructions: list[Instruction]) -> Iterator[Finding]:
    for found in instructions:
        if found.keyword == "ADD" and REMOTE.search(found.rest) and "--checksum=" not in found.rest:
            hint = "add --checksum=sha256:…, so that it can't change unseen"
            yield Finding(found.line, "ADD takes what a server sends that day", hint)


@rule("warn")
def root_user(instructions: list[Instruction]) -> Iterator[Finding]:
    for last in stages(instructions)[-1:]:
        users = [i for i in last if i.keyword == "USER"]
        if not users or users[-1].rest.split(":")[0] in ("root", "0"):
            line = users[-1].line if users else last[0].line
            yield Finding(line, "the container runs as root", "end the last stage with USER 65532")


@rule("warn")
def shell_form(instructions: list[Instruction]) -> Iterator[Finding]:
    for found in instructions:
        if found.keyword in ("CMD", "ENTRYPOINT") and not found.rest.startswith("["):
            hint = f'write {found.keyword} ["program", "argument"]'
            yield Finding(found.line, "a shell stands between the daemon's signals and the app", hint)


@rule("warn")
def apt_leftovers(instructions: list[Instruction]) -> Iterator[Finding]:
    for found in instructions:
        if found.keyword == "RUN" and re.search(r"\bapt(-get)?\b.*\binstall\b", found.rest):
            if "/var/lib/apt/lists" not in found.rest and "type=cache" not in found.rest:
                hint = "end it with && rm -rf /var/lib/apt/lists/*"
                yield Finding(found.line, "the package lists stay in the layer", hint)


def severities(config: dict[str, str]) -> dict[str, str]:
    """What each rule does: its default, or what the settings say. A bad one is a ValueError."""
    chosen = {name: severity for name, (_, severity) in RULES.items()}
    for name, severity in config.items():
        if name not in RULES:
            near = get_close_matches(name, RULES, n=1)
            known = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(RULES)}"
            raise ValueError(f"there is no rule `{name}`: {known}")
        if severity not in SEVERITIES:
            raise ValueError(f"config `{name}`: `{severity}` is none of {', '.join(SEVERITIES)}")
        chosen[name] = severity
    return chosen


def lint(dockerfile: str, chosen: dict[str, str]) -> list[Finding]:
    """What the rules that are on find, from the first line to the last."""
    instructions = parse(dockerfile)
    found = [
        Finding(f.line, f.message, f.hint, name)
        for name, (check, _) in RULES.items()
        if chosen[name] != "off"
        for f in check(instructions)
    ]
    return sorted(found, key=lambda finding: finding.line)
