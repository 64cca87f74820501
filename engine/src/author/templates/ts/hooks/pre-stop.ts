// Before a container that was in service is stopped.

import type { RunningContainer } from 'rengine:plugin/running@0.1.0';
import type { Context } from 'rengine:plugin/types@0.1.0';

import { attempt, info } from './rengine.ts';

export const preStop = {
  run(ctx: Context, container: RunningContainer): void {
    const request = { method: 'GET', path: '/drain', headers: [], body: new Uint8Array() };
    const answer = attempt(() => container.http(request));
    info(`told ${ctx.service} to drain: GET /drain answers ${answer.status}`);
  },
};
