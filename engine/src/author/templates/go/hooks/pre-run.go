package main

import (
	pre_run "example.com/{{name}}/bindings/export_rengine_plugin_pre_run"
	"example.com/{{name}}/bindings/rengine_plugin_container"
	types "example.com/{{name}}/bindings/rengine_plugin_types"
)

func init() { pre_run.Hook = preRun }

// Before a container is created.
func preRun(ctx types.Context, spec *rengine_plugin_container.ContainerSpec) result {
	if spec.Memory().IsNone() {
		return refuse(
			ctx.Service+" may use all memory of the host",
			"give it a `memory` limit in plugins.toml",
		)
	}
	if set := spec.SetNoNewPrivileges(true); set.IsErr() {
		return refuse(because(set.Err()), "")
	}
	info(ctx.Service + " can't gain privileges")
	return done()
}
