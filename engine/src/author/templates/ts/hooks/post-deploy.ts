// At the end of a deploy, however it ended.

import type { FinishedDeploy } from 'rengine:plugin/deployment@0.1.0';
import type { AppContext } from 'rengine:plugin/types@0.1.0';

import { info } from './rengine.ts';

export const postDeploy = {
  run(ctx: AppContext, deploy: FinishedDeploy): void {
    const why = deploy.error();
    if (why == null) {
      info(`${ctx.app} is deployed: ${deploy.services().length} services run`);
    } else {
      info(`${ctx.app} was not deployed: ${why}`);
    }
  },
};
