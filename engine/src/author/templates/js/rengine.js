// What every hook needs: refusals, settings and messages.

import { get } from 'wasi:config/store@0.2.0-rc.1';
import { log } from 'wasi:logging/logging@0.1.0-draft';

/** Says no: throw it out of a hook. Any other error is a crash of the plugin. */
export class Refusal extends Error {
  constructor(reason, hint) {
    super(reason);
    this.payload = { reason, hint };
  }
}

/** Does something to a resource; if it fails, its reason becomes the refusal's. */
export function attempt(change) {
  try {
    return change();
  } catch (error) {
    throw new Refusal(reason(error));
  }
}

/** What a method of a resource threw, in words. */
export function reason(error) {
  return error.payload?.val ?? error.payload ?? error.message;
}

/** One of the settings in plugins.toml. */
export function setting(name) {
  const value = get(name);
  if (value == null) throw new Refusal(`the setting \`${name}\` is missing`, 'write it under `config`');
  return value;
}

/** Shows a message to the person who deploys. */
export function info(message) {
  log('info', '', message);
}
