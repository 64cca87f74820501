// At the end of a deploy, however it ended.

#include "rengine.h"

bool exports_rengine_plugin_post_deploy_run(
    exports_rengine_plugin_post_deploy_app_context_t *ctx,
    exports_rengine_plugin_post_deploy_borrow_finished_deploy_t deploy,
    exports_rengine_plugin_post_deploy_refusal_t *err) {
  text_t why;
  if (rengine_plugin_deployment_method_finished_deploy_error(deploy, &why)) {
    info(JOIN(ctx->app, text(" was not deployed: "), why));
    return true;
  }
  rengine_plugin_deployment_list_running_service_t services;
  rengine_plugin_deployment_method_finished_deploy_services(deploy, &services);
  info(JOIN(ctx->app, text(" is deployed: "), number(services.len), text(" services run")));
  return true;
}
