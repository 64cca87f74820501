package main

import (
	post_build "example.com/{{name}}/bindings/export_rengine_plugin_post_build"
	"example.com/{{name}}/bindings/rengine_plugin_image"
	types "example.com/{{name}}/bindings/rengine_plugin_types"
)

func init() { post_build.Hook = postBuild }

// Before a container is made from an image that was built.
func postBuild(ctx types.Context, image *rengine_plugin_image.BuiltImage) result {
	user := image.User()
	if user.IsNone() {
		return refuse("the image of "+ctx.Service+" runs as root", "add a USER to its Dockerfile")
	}
	info("the image of " + ctx.Service + " runs as " + user.Some())
	return done()
}
