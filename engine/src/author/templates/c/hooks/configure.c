// Before everything else, for the whole app.

#include "rengine.h"

bool exports_rengine_plugin_configure_run(
    exports_rengine_plugin_configure_app_context_t *ctx,
    exports_rengine_plugin_configure_borrow_app_model_t app,
    exports_rengine_plugin_configure_refusal_t *err) {
  text_t team;
  if (!setting("team", &team))
    return refuse(err, text("the setting `team` is missing"), "write it under `config`");
  plugin_list_string_t names;
  rengine_plugin_app_method_app_model_services(app, &names);
  for (size_t i = 0; i < names.len; i++) {
    rengine_plugin_app_own_service_t service;
    if (!rengine_plugin_app_method_app_model_service(app, &names.ptr[i], &service)) continue;
    rengine_plugin_app_own_container_spec_t spec =
        rengine_plugin_app_method_service_container(rengine_plugin_app_borrow_service(service));
    text_t name = text("com.example.team");
    rengine_plugin_container_change_error_t why;
    // Both cases of the error are a text.
    if (!rengine_plugin_container_method_container_spec_set_label(
            rengine_plugin_container_borrow_container_spec(spec), &name, &team, &why))
      return refuse(err, why.val.invalid, NULL);
  }
  info(JOIN(text("the containers of "), ctx->app, text(" belong to "), team));
  return true;
}
