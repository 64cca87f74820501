"""A Dockerfile as its instructions, each with the line that it starts on."""

import re
from dataclasses import dataclass

HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")


@dataclass(frozen=True)
class Instruction:
    line: int
    keyword: str
    rest: str


def parse(dockerfile: str) -> list[Instruction]:
    """Comments and here-documents are left out, and continued lines joined."""
    instructions = []
    lines = enumerate(dockerfile.splitlines(), start=1)
    start, text = 0, ""
    for number, line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        start = start or number
        if line.endswith("\\"):
            text += line[:-1] + " "
            continue
        keyword, _, rest = (text + line).partition(" ")
        instructions.append(Instruction(start, keyword.upper(), rest.strip()))
        for end in HEREDOC.findall(rest):
            for _, inner in lines:
                if inner.strip("\t") == end:
                    break
        start, text = 0, ""
    return instructions


def stages(instructions: list[Instruction]) -> list[list[Instruction]]:
    """The instructions of each stage; what stands before the first FROM is in none."""
    found: list[list[Instruction]] = []
    for instruction in instructions:
        if instruction.keyword == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def base(instruction: Instruction) -> tuple[str, str]:
    """What a FROM builds on, and the name that it gives to its stage, or nothing."""
    words = [word for word in instruction.rest.split() if not word.startswith("--")]
    return words[0] if words else "", words[2].lower() if len(words) > 2 else ""
