package main

import (
	configure "example.com/{{name}}/bindings/export_rengine_plugin_configure"
	"example.com/{{name}}/bindings/rengine_plugin_app"
	types "example.com/{{name}}/bindings/rengine_plugin_types"
)

func init() { configure.Hook = configureApp }

// Before everything else, for the whole app.
func configureApp(ctx types.AppContext, app *rengine_plugin_app.AppModel) result {
	team, ok := setting("team")
	if !ok {
		return refuse("the setting `team` is missing", "write it under `config`")
	}
	for _, name := range app.Services() {
		service := app.Service(name)
		if service.IsNone() {
			continue
		}
		set := service.Some().Container().SetLabel("com.example.team", team)
		if set.IsErr() {
			return refuse(because(set.Err()), "")
		}
	}
	info("the containers of " + ctx.App + " belong to " + team)
	return done()
}
