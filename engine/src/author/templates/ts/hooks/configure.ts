// Before everything else, for the whole app.

import type { AppModel } from 'rengine:plugin/app@0.1.0';
import type { AppContext } from 'rengine:plugin/types@0.1.0';

import { attempt, info, setting } from './rengine.ts';

export const configure = {
  run(ctx: AppContext, app: AppModel): void {
    const team = setting('team');
    for (const name of app.services()) {
      const spec = app.service(name)?.container();
      attempt(() => spec?.setLabel('com.example.team', team));
    }
    info(`the containers of ${ctx.app} belong to ${team}`);
  },
};
