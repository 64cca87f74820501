// Before a container is made from an image that was built.

import { Refusal, info } from './rengine.js';

export const postBuild = {
  run(ctx, image) {
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
