// The settings without WebAssembly: npm test

import assert from 'node:assert/strict';
import test from 'node:test';

import { defaults, settings } from '../src/defaults.js';

const pairs = [
  ['environment', 'staging'],
  ['common', '{"REGION": "eu", "LOG_LEVEL": "info"}'],
  ['environments', '{"production": {}, "staging": {"LOG_LEVEL": "debug", "WORKERS": 2}}'],
];

test('an environment has the common variables, and its own win', () => {
  assert.deepEqual(defaults(settings(pairs)), { REGION: 'eu', LOG_LEVEL: 'debug', WORKERS: '2' });
});

test('a wrong key and an unknown environment are refused', () => {
  assert.throws(() => settings([['enviroment', 'staging']]), /`enviroment`: there are environment, common/);
  assert.throws(() => settings([...pairs, ['environment', 'qa']]), {
    payload: {
      reason: 'config `environment`: `qa` is none of those under `environments`: production, staging',
      hint: 'see `config` of this plugin in plugins.toml',
    },
  });
});
