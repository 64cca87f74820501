// Before a container is made from an image that was built.

#include "rengine.h"

bool exports_rengine_plugin_post_build_run(
    exports_rengine_plugin_post_build_context_t *ctx,
    exports_rengine_plugin_post_build_borrow_built_image_t image,
    exports_rengine_plugin_post_build_refusal_t *err) {
  text_t user;
  if (!rengine_plugin_image_method_built_image_user(image, &user))
    return refuse(err, JOIN(text("the image of "), ctx->service, text(" runs as root")),
                  "add a USER to its Dockerfile");
  info(JOIN(text("the image of "), ctx->service, text(" runs as "), user));
  return true;
}
