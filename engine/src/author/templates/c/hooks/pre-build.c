// Before an image is built.

#include "rengine.h"

bool exports_rengine_plugin_pre_build_run(
    exports_rengine_plugin_pre_build_context_t *ctx,
    exports_rengine_plugin_pre_build_borrow_image_build_t build,
    exports_rengine_plugin_pre_build_refusal_t *err) {
  text_t team;
  if (!setting("team", &team))
    return refuse(err, text("the setting `team` is missing"), "write it under `config`");
  text_t name = text("com.example.team");
  rengine_plugin_build_change_error_t why;
  // Both cases of the error are a text.
  if (!rengine_plugin_build_method_image_build_set_label(build, &name, &team, &why))
    return refuse(err, why.val.invalid, NULL);
  info(JOIN(text("the image of "), ctx->service, text(" belongs to "), team));
  return true;
}
