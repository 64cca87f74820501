// Before everything else, for the whole app.

import { attempt, info, setting } from './rengine.js';

export const configure = {
  run(ctx, app) {
    const team = setting('team');
    for (const name of app.services()) {
      const spec = app.service(name)?.container();
      attempt(() => spec?.setLabel('com.example.team', team));
    }
    info(`the containers of ${ctx.app} belong to ${team}`);
  },
};
