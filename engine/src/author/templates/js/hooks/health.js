// While a container is to become healthy.

import { reason } from './rengine.js';

export const health = {
  check(_, container) {
    let answer;
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
