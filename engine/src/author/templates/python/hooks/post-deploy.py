"""At the end of a deploy, however it ended."""

from wit_world import exports
from wit_world.imports.deployment import FinishedDeploy
from wit_world.imports.types import AppContext

from rengine import info


class PostDeploy(exports.PostDeploy):
    def run(self, ctx: AppContext, deploy: FinishedDeploy) -> None:
        why = deploy.error()
        if why is None:
            info(f"{ctx.app} is deployed: {len(deploy.services())} services run")
        else:
            info(f"{ctx.app} was not deployed: {why}")
