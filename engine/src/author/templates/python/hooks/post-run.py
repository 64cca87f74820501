"""When a new container is healthy, before the old one is removed."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.running import HttpRequest, RunningContainer
from wit_world.imports.types import Context

from rengine import info, refusal


class PostRun(exports.PostRun):
    def run(self, ctx: Context, container: RunningContainer) -> None:
        try:
            answer = container.http(HttpRequest("GET", "/", [], b"", None, None))
        except Err as error:
            raise refusal(error.value)
        info(f"warmed up {ctx.service}: GET / answers {answer.status}")
