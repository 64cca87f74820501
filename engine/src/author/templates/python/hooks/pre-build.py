"""Before an image is built."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.build import ImageBuild
from wit_world.imports.types import Context

from rengine import info, refusal, setting


class PreBuild(exports.PreBuild):
    def run(self, ctx: Context, build: ImageBuild) -> None:
        team = setting("team")
        try:
            build.set_label("com.example.team", team)
        except Err as error:
            raise refusal(error.value.value)
        info(f"the image of {ctx.service} belongs to {team}")
