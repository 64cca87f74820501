// Before a container is created.

import { Refusal, attempt, info } from './rengine.js';

export const preRun = {
  run(ctx, spec) {
    if (spec.memory() == null) {
      throw new Refusal(
        `${ctx.service} may use all memory of the host`,
        'give it a `memory` limit in plugins.toml',
      );
    }
    attempt(() => spec.setNoNewPrivileges(true));
    info(`${ctx.service} can't gain privileges`);
  },
};
