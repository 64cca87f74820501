// Before a container that was in service is stopped.

#include "rengine.h"

bool exports_rengine_plugin_pre_stop_run(
    exports_rengine_plugin_pre_stop_context_t *ctx,
    exports_rengine_plugin_pre_stop_borrow_running_container_t container,
    exports_rengine_plugin_pre_stop_refusal_t *err) {
  rengine_plugin_running_http_request_t request = {.method = text("GET"), .path = text("/drain")};
  rengine_plugin_running_http_response_t answer;
  text_t why;
  if (!rengine_plugin_running_method_running_container_http(container, &request, &answer, &why))
    return refuse(err, why, NULL);
  info(JOIN(text("told "), ctx->service, text(" to drain: GET /drain answers "),
            number(answer.status)));
  return true;
}
