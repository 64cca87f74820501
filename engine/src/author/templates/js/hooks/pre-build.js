// Before an image is built.

import { attempt, info, setting } from './rengine.js';

export const preBuild = {
  run(ctx, build) {
    const team = setting('team');
    attempt(() => build.setLabel('com.example.team', team));
    info(`the image of ${ctx.service} belongs to ${team}`);
  },
};
