// Before a container is created.

import type { ContainerSpec } from 'rengine:plugin/container@0.1.0';
import type { Context } from 'rengine:plugin/types@0.1.0';

import { Refusal, attempt, info } from './rengine.ts';

export const preRun = {
  run(ctx: Context, spec: ContainerSpec): void {
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
