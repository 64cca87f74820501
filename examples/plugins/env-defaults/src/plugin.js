// The hook: fills in what the environment of a service lacks, and insists on what it needs.

import { getAll } from 'wasi:config/store@0.2.0-rc.1';
import { log } from 'wasi:logging/logging@0.1.0-draft';

import { Refusal, defaults, settings } from './defaults.js';

export const preRun = {
  run(ctx, spec) {
    try {
      const config = settings(getAll());
      for (const [name, value] of Object.entries(defaults(config))) {
        if (spec.envVar(name) === null) spec.setEnv(name, value);
      }
      const missing = config.required.filter((name) => !spec.envVar(name));
      if (missing.length > 0) {
        const names = missing.join(', ');
        throw new Refusal(`${ctx.service} needs ${names} in its environment`, `set ${names} under [app.env] in plugins.toml`);
      }
      log('debug', '', `${ctx.service} has the environment of ${config.environment}`);
    } catch (error) {
      // What a setter throws carries its `change-error`, which is no refusal yet.
      throw error instanceof Refusal ? error : new Refusal(error.payload?.val ?? String(error));
    }
  },
};
