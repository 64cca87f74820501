"""While a container is to become healthy."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.health import Status, Status_Healthy, Status_Starting, Status_Unhealthy
from wit_world.imports.running import HttpRequest, RunningContainer
from wit_world.imports.types import Context


class Health(exports.Health):
    def check(self, ctx: Context, container: RunningContainer) -> Status:
        try:
            answer = container.http(HttpRequest("GET", "/", [], b"", None, None))
        except Err as error:
            # It may not listen yet: rengine asks again.
            return Status_Starting(error.value)
        if answer.status < 500:
            return Status_Healthy()
        return Status_Unhealthy(f"GET / answers {answer.status}")
