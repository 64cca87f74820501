// While a container is to become healthy.

#include "rengine.h"

bool exports_rengine_plugin_health_check(
    exports_rengine_plugin_health_context_t *ctx,
    exports_rengine_plugin_health_borrow_running_container_t container,
    exports_rengine_plugin_health_status_t *status,
    exports_rengine_plugin_health_refusal_t *err) {
  rengine_plugin_running_http_request_t request = {.method = text("GET"), .path = text("/")};
  rengine_plugin_running_http_response_t answer;
  text_t why;
  if (!rengine_plugin_running_method_running_container_http(container, &request, &answer, &why)) {
    // It may not listen yet: rengine asks again.
    status->tag = EXPORTS_RENGINE_PLUGIN_HEALTH_STATUS_STARTING;
    status->val.starting = why;
  } else if (answer.status < 500) {
    status->tag = EXPORTS_RENGINE_PLUGIN_HEALTH_STATUS_HEALTHY;
  } else {
    status->tag = EXPORTS_RENGINE_PLUGIN_HEALTH_STATUS_UNHEALTHY;
    status->val.unhealthy = JOIN(text("GET / answers "), number(answer.status));
  }
  return true;
}
