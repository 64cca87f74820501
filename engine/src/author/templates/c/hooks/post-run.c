// When a new container is healthy, before the old one is removed.

#include "rengine.h"

bool exports_rengine_plugin_post_run_run(
    exports_rengine_plugin_post_run_context_t *ctx,
    exports_rengine_plugin_post_run_borrow_running_container_t container,
    exports_rengine_plugin_post_run_refusal_t *err) {
  rengine_plugin_running_http_request_t request = {.method = text("GET"), .path = text("/")};
  rengine_plugin_running_http_response_t answer;
  text_t why;
  if (!rengine_plugin_running_method_running_container_http(container, &request, &answer, &why))
    return refuse(err, why, NULL);
  info(JOIN(text("warmed up "), ctx->service, text(": GET / answers "), number(answer.status)));
  return true;
}
