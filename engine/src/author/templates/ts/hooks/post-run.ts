// When a new container is healthy, before the old one is removed.

import type { RunningContainer } from 'rengine:plugin/running@0.1.0';
import type { Context } from 'rengine:plugin/types@0.1.0';

import { attempt, info } from './rengine.ts';

export const postRun = {
  run(ctx: Context, container: RunningContainer): void {
    const request = { method: 'GET', path: '/', headers: [], body: new Uint8Array() };
    const answer = attempt(() => container.http(request));
    info(`warmed up ${ctx.service}: GET / answers ${answer.status}`);
  },
};
