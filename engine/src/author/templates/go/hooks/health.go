package main

import (
	"fmt"

	health "example.com/{{name}}/bindings/export_rengine_plugin_health"
	states "example.com/{{name}}/bindings/rengine_plugin_health"
	"example.com/{{name}}/bindings/rengine_plugin_running"
	types "example.com/{{name}}/bindings/rengine_plugin_types"
	wit "example.com/{{name}}/bindings/wit/types"
)

func init() { health.Hook = checkHealth }

// While a container is to become healthy.
func checkHealth(
	_ types.Context, container *rengine_plugin_running.RunningContainer,
) wit.Result[states.Status, types.Refusal] {
	answer := container.Http(rengine_plugin_running.HttpRequest{Method: "GET", Path: "/"})
	var status states.Status
	switch {
	case answer.IsErr():
		// It may not listen yet: rengine asks again.
		status = states.MakeStatusStarting(answer.Err())
	case answer.Ok().Status < 500:
		status = states.MakeStatusHealthy()
	default:
		status = states.MakeStatusUnhealthy(fmt.Sprint("GET / answers ", answer.Ok().Status))
	}
	return wit.Ok[states.Status, types.Refusal](status)
}
