"""The hook: reads the settings, has the rules judge, and says what they found."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import logging, store
from wit_world.imports.build import ImageBuild
from wit_world.imports.logging import Level
from wit_world.imports.types import Context, Refusal

from rules import lint, severities


class PreBuild(exports.PreBuild):
    def run(self, ctx: Context, build: ImageBuild) -> None:
        try:
            chosen = severities(dict(store.get_all()))
        except ValueError as error:
            raise Err(Refusal(str(error), "see `config` of this plugin in plugins.toml"))
        refused = []
        for finding in lint(build.dockerfile() or "", chosen):
            where = f"{build.dockerfile_path()}:{finding.line}: {finding.message} [{finding.rule}]"
            if chosen[finding.rule] == "refuse":
                refused.append((where, finding.hint))
            else:
                logging.log(Level.WARN, "", f"{where}: {finding.hint}")
        if refused:
            reasons, hints = zip(*refused)
            raise Err(Refusal("; ".join(reasons), "; ".join(hints)))
