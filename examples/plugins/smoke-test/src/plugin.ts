// The hook: sends each request of the settings, and refuses the release at the first answer that
// is not as expected.

import type { RunningContainer } from 'rengine:plugin/running@0.1.0';
import type { Context } from 'rengine:plugin/types@0.1.0';
import { getAll } from 'wasi:config/store@0.2.0-rc.1';
import { log } from 'wasi:logging/logging@0.1.0-draft';

import { type Answer, type Check, mistake, parse, title } from './check.ts';
import { Refusal } from './refusal.ts';
import { decode, encode } from './utf8.ts';

export const postRun = {
  run(_: Context, container: RunningContainer): void {
    const checks = settings();
    for (const check of checks) {
      const wrong = mistake(check, ask(container, check));
      if (wrong) throw new Refusal(`${title(check)} ${wrong}`, "see the container's log");
    }
    log('info', '', `${checks.length} checks passed`);
  },
};

function settings(): Check[] {
  try {
    return parse(new Map(getAll()));
  } catch (error) {
    throw new Refusal(`config ${(error as Error).message}`, 'see `config` of this plugin in plugins.toml');
  }
}

function ask(container: RunningContainer, check: Check): Answer {
  try {
    const { status, body } = container.http({
      method: check.method,
      path: check.path,
      headers: Object.entries(check.headers),
      body: encode(check.body === undefined ? '' : JSON.stringify(check.body)),
      timeoutMs: check.timeoutMs,
    });
    return { status, body: decode(body) };
  } catch (error) {
    throw new Refusal(`${title(check)}: ${(error as Error).message}`, "see the container's log");
  }
}
