// At the end of a deploy, however it ended.

import { info } from './rengine.js';

export const postDeploy = {
  run(ctx, deploy) {
    const why = deploy.error();
    if (why == null) {
      info(`${ctx.app} is deployed: ${deploy.services().length} services run`);
    } else {
      info(`${ctx.app} was not deployed: ${why}`);
    }
  },
};
