package main

import (
	"fmt"

	post_deploy "example.com/{{name}}/bindings/export_rengine_plugin_post_deploy"
	"example.com/{{name}}/bindings/rengine_plugin_deployment"
	types "example.com/{{name}}/bindings/rengine_plugin_types"
)

func init() { post_deploy.Hook = postDeploy }

// At the end of a deploy, however it ended.
func postDeploy(ctx types.AppContext, deploy *rengine_plugin_deployment.FinishedDeploy) result {
	if why := deploy.Error(); why.IsSome() {
		info(ctx.App + " was not deployed: " + why.Some())
	} else {
		info(fmt.Sprintf("%s is deployed: %d services run", ctx.App, len(deploy.Services())))
	}
	return done()
}
