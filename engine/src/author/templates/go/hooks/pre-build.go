package main

import (
	pre_build "example.com/{{name}}/bindings/export_rengine_plugin_pre_build"
	"example.com/{{name}}/bindings/rengine_plugin_build"
	types "example.com/{{name}}/bindings/rengine_plugin_types"
)

func init() { pre_build.Hook = preBuild }

// Before an image is built.
func preBuild(ctx types.Context, build *rengine_plugin_build.ImageBuild) result {
	team, ok := setting("team")
	if !ok {
		return refuse("the setting `team` is missing", "write it under `config`")
	}
	if set := build.SetLabel("com.example.team", team); set.IsErr() {
		return refuse(because(set.Err()), "")
	}
	info("the image of " + ctx.Service + " belongs to " + team)
	return done()
}
