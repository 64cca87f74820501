// A few helpers over the generated bindings. Each call of a hook has an instance of its own, whose
// memory is gone afterwards: nothing here needs to be freed.
#ifndef RENGINE_H
#define RENGINE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

typedef plugin_string_t text_t;

// A text to hand to rengine's functions; what a hook returns must be allocated instead.
static inline text_t text(const char *chars) {
  return (text_t){(uint8_t *)chars, strlen(chars)};
}

// Several texts, up to one without a pointer, as one.
static inline text_t join(const text_t *parts) {
  size_t length = 0;
  for (const text_t *part = parts; part->ptr; part++) length += part->len;
  text_t all = {malloc(length + 1), 0};
  for (const text_t *part = parts; part->ptr; part++) {
    memcpy(all.ptr + all.len, part->ptr, part->len);
    all.len += part->len;
  }
  return all;
}
#define JOIN(...) join((const text_t[]){__VA_ARGS__, {NULL, 0}})

// A small number as text.
static inline text_t number(uint32_t value) {
  char *end = (char *)malloc(10) + 10, *start = end;
  do *--start = (char)('0' + value % 10); while (value /= 10);
  return (text_t){(uint8_t *)start, (size_t)(end - start)};
}

// Shows a message to the person who deploys.
static inline void info(text_t message) {
  text_t context = text("");
  wasi_logging_logging_log(WASI_LOGGING_LOGGING_LEVEL_INFO, &context, &message);
}

// A setting of plugins.toml; false where it is not set.
static inline bool setting(const char *name, text_t *value) {
  text_t key = text(name);
  plugin_option_string_t found;
  wasi_config_store_error_t why;
  if (!wasi_config_store_get(&key, &found, &why) || !found.is_some) return false;
  *value = found.val;
  return true;
}

// Says no: `return refuse(err, …);`. The hint may be NULL.
static inline bool refuse(rengine_plugin_types_refusal_t *err, text_t reason, const char *hint) {
  // Freed when the hook has returned, so it must be a copy.
  plugin_string_dup_n(&err->reason, (const char *)reason.ptr, reason.len);
  err->hint.is_some = hint != NULL;
  if (hint) plugin_string_dup(&err->hint.val, hint);
  return false;
}

#endif
