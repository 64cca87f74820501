"""Before a container is made from an image that was built."""

from wit_world import exports
from wit_world.imports.image import BuiltImage
from wit_world.imports.types import Context

from rengine import info, refusal


class PostBuild(exports.PostBuild):
    def run(self, ctx: Context, image: BuiltImage) -> None:
        user = image.user()
        if user is None:
            raise refusal(
                f"the image of {ctx.service} runs as root", "add a USER to its Dockerfile"
            )
        info(f"the image of {ctx.service} runs as {user}")
