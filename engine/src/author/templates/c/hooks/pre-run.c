// Before a container is created.

#include "rengine.h"

bool exports_rengine_plugin_pre_run_run(
    exports_rengine_plugin_pre_run_context_t *ctx,
    exports_rengine_plugin_pre_run_borrow_container_spec_t spec,
    exports_rengine_plugin_pre_run_refusal_t *err) {
  uint64_t bytes;
  if (!rengine_plugin_container_method_container_spec_memory(spec, &bytes))
    return refuse(err, JOIN(ctx->service, text(" may use all memory of the host")),
                  "give it a `memory` limit in plugins.toml");
  rengine_plugin_container_change_error_t why;
  // Both cases of the error are a text.
  if (!rengine_plugin_container_method_container_spec_set_no_new_privileges(spec, true, &why))
    return refuse(err, why.val.invalid, NULL);
  info(JOIN(ctx->service, text(" can't gain privileges")));
  return true;
}
