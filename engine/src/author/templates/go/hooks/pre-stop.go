package main

import (
	"fmt"

	pre_stop "example.com/{{name}}/bindings/export_rengine_plugin_pre_stop"
	"example.com/{{name}}/bindings/rengine_plugin_running"
	types "example.com/{{name}}/bindings/rengine_plugin_types"
)

func init() { pre_stop.Hook = preStop }

// Before a container that was in service is stopped.
func preStop(ctx types.Context, container *rengine_plugin_running.RunningContainer) result {
	answer := container.Http(rengine_plugin_running.HttpRequest{Method: "GET", Path: "/drain"})
	if answer.IsErr() {
		return refuse(answer.Err(), "")
	}
	info(fmt.Sprintf("told %s to drain: GET /drain answers %d", ctx.Service, answer.Ok().Status))
	return done()
}
