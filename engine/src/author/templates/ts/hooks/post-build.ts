// Before a container is made from an image that was built.

import type { BuiltImage } from 'rengine:plugin/image@0.1.0';
import type { Context } from 'rengine:plugin/types@0.1.0';

import { Refusal, info } from './rengine.ts';

export const postBuild = {
  run(ctx: Context, image: BuiltImage): void {
    const user = image.user();
    if (user == null) {
      throw new Refusal(
        `the image of ${ctx.service} runs as root`,
        'add a USER to its Dockerfile',
      );
    }
    info(`the image of ${ctx.service} runs as ${user}`);
  },
};
