"""Before everything else, for the whole app."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.app import AppModel
from wit_world.imports.types import AppContext

from rengine import info, refusal, setting


class Configure(exports.Configure):
    def run(self, ctx: AppContext, app: AppModel) -> None:
        team = setting("team")
        try:
            for name in app.services():
                service = app.service(name)
                if service is not None:
                    service.container().set_label("com.example.team", team)
        except Err as error:
            raise refusal(error.value.value)
        info(f"the containers of {ctx.app} belong to {team}")
