// When a new container is healthy, before the old one is removed.

import { attempt, info } from './rengine.js';

export const postRun = {
  run(ctx, container) {
    const request = { method: 'GET', path: '/', headers: [], body: new Uint8Array() };
    const answer = attempt(() => container.http(request));
    info(`warmed up ${ctx.service}: GET / answers ${answer.status}`);
  },
};
