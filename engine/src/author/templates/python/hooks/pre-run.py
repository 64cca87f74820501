"""Before a container is created."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.container import ContainerSpec
from wit_world.imports.types import Context

from rengine import info, refusal


class PreRun(exports.PreRun):
    def run(self, ctx: Context, spec: ContainerSpec) -> None:
        if spec.memory() is None:
            raise refusal(
                f"{ctx.service} may use all memory of the host",
                "give it a `memory` limit in plugins.toml",
            )
        try:
            spec.set_no_new_privileges(True)
        except Err as error:
            raise refusal(error.value.value)
        info(f"{ctx.service} can't gain privileges")
