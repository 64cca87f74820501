// While a container is to become healthy.

import type { Status } from 'rengine:plugin/health@0.1.0';
import type { HttpResponse, RunningContainer } from 'rengine:plugin/running@0.1.0';
import type { Context } from 'rengine:plugin/types@0.1.0';

import { reason } from './rengine.ts';

export const health = {
  check(_: Context, container: RunningContainer): Status {
    let answer: HttpResponse;
    try {
      answer = container.http({ method: 'GET', path: '/', headers: [], body: new Uint8Array() });
    } catch (error) {
      // It may not listen yet: rengine asks again.
      return { tag: 'starting', val: reason(error) };
    }
    if (answer.status < 500) return { tag: 'healthy' };
    return { tag: 'unhealthy', val: `GET / answers ${answer.status}` };
  },
};
