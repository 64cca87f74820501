// Before a container is created: its published ports are looked at, and nothing is changed.

#include "rengine.h"

// Below it, ports belong to the system's own services.
#define FIRST_FREE_PORT 1024

// What nobody wants to have published on every address of a host.
static const struct {
  uint16_t port;
  const char *service;
} INTERNAL[] = {
    {2375, "Docker"},     {2379, "etcd"},  {3306, "MySQL"},      {5432, "PostgreSQL"},
    {6379, "Redis"},      {9200, "Elasticsearch"}, {11211, "memcached"}, {27017, "MongoDB"},
};

// Reads a decimal number; -1 where there is none, or one that is no port.
static int32_t port_at(text_t list, size_t *at) {
  int32_t value = -1;
  for (; *at < list.len && list.ptr[*at] >= '0' && list.ptr[*at] <= '9'; (*at)++) {
    value = (value < 0 ? 0 : value) * 10 + (list.ptr[*at] - '0');
    if (value > UINT16_MAX) return -1;
  }
  return value;
}

// Whether a port is in a list such as `[80, "8000-8999"]`: plugins.toml hands lists over as JSON,
// of which only the numbers matter here. False in `valid` for anything else.
static bool listed(text_t list, uint16_t port, bool *valid) {
  bool found = false;
  *valid = true;
  for (size_t at = 0; at < list.len;) {
    if (strchr("[]\", ", list.ptr[at])) {
      at++;
      continue;
    }
    int32_t first = port_at(list, &at), last = first;
    if (first >= 0 && at < list.len && list.ptr[at] == '-') {
      at++;
      last = port_at(list, &at);
    }
    if (first < 0 || last < first) return *valid = false;
    found |= first <= port && port <= last;
  }
  return found;
}

static bool is(text_t value, const char *chars) {
  return value.len == strlen(chars) && memcmp(value.ptr, chars, value.len) == 0;
}

// A port that only the host itself can reach is nobody else's business.
static bool local(const rengine_plugin_container_port_mapping_t *port) {
  if (!port->host_address.is_some) return false;
  return is(port->host_address.val, "127.0.0.1") || is(port->host_address.val, "::1");
}

bool exports_rengine_plugin_pre_run_run(
    exports_rengine_plugin_pre_run_context_t *ctx,
    exports_rengine_plugin_pre_run_borrow_container_spec_t spec,
    exports_rengine_plugin_pre_run_refusal_t *err) {
  text_t allow = text("");
  setting("allow", &allow);
  rengine_plugin_container_list_port_mapping_t ports;
  rengine_plugin_container_method_container_spec_ports(spec, &ports);
  for (size_t i = 0; i < ports.len; i++) {
    const rengine_plugin_container_port_mapping_t *port = &ports.ptr[i];
    if (!port->host_port.is_some || local(port)) continue;
    uint16_t host = port->host_port.val;
    bool valid;
    bool allowed = listed(allow, host, &valid);
    if (!valid)
      return refuse(err, JOIN(text("config `allow`: `"), allow, text("` is no list of ports")),
                    "write ports and ranges, such as [443, \"8000-8999\"]");
    if (allowed) continue;
    text_t published = JOIN(ctx->service, text(" publishes port "), number(host));
    if (host < FIRST_FREE_PORT)
      return refuse(err, JOIN(published, text(", one of the system's own")),
                    "publish it above 1023, or add it to `allow` of this plugin");
    for (size_t j = 0; j < sizeof INTERNAL / sizeof *INTERNAL; j++)
      if (INTERNAL[j].port == host)
        return refuse(err, JOIN(published, text(", which is "), text(INTERNAL[j].service),
                                text("'s, for everybody who reaches this host")),
                      "publish it on 127.0.0.1, or add it to `allow` of this plugin");
  }
  return true;
}
