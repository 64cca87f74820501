"""Before a container that was in service is stopped."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.running import HttpRequest, RunningContainer
from wit_world.imports.types import Context

from rengine import info, refusal


class PreStop(exports.PreStop):
    def run(self, ctx: Context, container: RunningContainer) -> None:
        try:
            answer = container.http(HttpRequest("GET", "/drain", [], b"", None, None))
        except Err as error:
            raise refusal(error.value)
        info(f"told {ctx.service} to drain: GET /drain answers {answer.status}")
