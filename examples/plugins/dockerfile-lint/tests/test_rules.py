"""The rules without WebAssembly: `python3 -m unittest discover -s tests`."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from dockerfile import parse  # noqa: E402
from rules import RULES, lint, severities  # noqa: E402


def found(dockerfile: str) -> list[tuple[int, str]]:
    return [(f.line, f.rule) for f in lint(dockerfile, severities({}))]


class Rules(unittest.TestCase):
    def test_a_good_dockerfile_has_no_findings(self):
        good = """\
ARG TAG=1.2
FROM golang:1.26 AS build
RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/*
ARG TOKENIZER_VERSION
FROM build AS again
FROM localhost:5000/base:$TAG
COPY --from=build /app /app
USER 65532
ENTRYPOINT ["/app"]
"""
        self.assertEqual(found(good), [])

    def test_each_rule_finds_what_it_is_for(self):
        bad = """\
FROM localhost:5000/base
ENV API_TOKEN=abc \\
    MODE=fast
ADD https://example.com/x /x
RUN apt-get update && \\
    # a comment in between
    apt-get install -y git
USER 0:0
CMD app
"""
        expected = [(1, "unpinned-base"), (2, "secret-in-image"), (4, "remote-add")]
        expected += [(5, "apt-leftovers"), (8, "root-user"), (9, "shell-form")]
        self.assertEqual(found(bad), expected)
        self.assertEqual({rule for _, rule in expected}, set(RULES))

    def test_here_documents_are_no_instructions(self):
        text = "FROM a:1\nRUN <<END\nFROM b\nEND\nUSER 1\n"
        self.assertEqual([i.keyword for i in parse(text)], ["FROM", "RUN", "USER"])

    def test_settings_choose_and_typos_are_told(self):
        self.assertEqual(severities({"root-user": "off"})["root-user"], "off")
        with self.assertRaisesRegex(ValueError, "did you mean `root-user`"):
            severities({"rootuser": "off"})
        with self.assertRaisesRegex(ValueError, "none of refuse, warn, off"):
            severities({"root-user": "no"})


if __name__ == "__main__":
    unittest.main()
