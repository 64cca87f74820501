package main

import (
	"fmt"

	post_run "example.com/{{name}}/bindings/export_rengine_plugin_post_run"
	"example.com/{{name}}/bindings/rengine_plugin_running"
	types "example.com/{{name}}/bindings/rengine_plugin_types"
)

func init() { post_run.Hook = postRun }

// When a new container is healthy, before the old one is removed.
func postRun(ctx types.Context, container *rengine_plugin_running.RunningContainer) result {
	answer := container.Http(rengine_plugin_running.HttpRequest{Method: "GET", Path: "/"})
	if answer.IsErr() {
		return refuse(answer.Err(), "")
	}
	info(fmt.Sprintf("warmed up %s: GET / answers %d", ctx.Service, answer.Ok().Status))
	return done()
}
