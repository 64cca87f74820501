// Before a container that was in service is stopped.

import { attempt, info } from './rengine.js';

export const preStop = {
  run(ctx, container) {
    const request = { method: 'GET', path: '/drain', headers: [], body: new Uint8Array() };
    const answer = attempt(() => container.http(request));
    info(`told ${ctx.service} to drain: GET /drain answers ${answer.status}`);
  },
};
