// Before an image is built.

import type { ImageBuild } from 'rengine:plugin/build@0.1.0';
import type { Context } from 'rengine:plugin/types@0.1.0';

import { attempt, info, setting } from './rengine.ts';

export const preBuild = {
  run(ctx: Context, build: ImageBuild): void {
    const team = setting('team');
    attempt(() => build.setLabel('com.example.team', team));
    info(`the image of ${ctx.service} belongs to ${team}`);
  },
};
