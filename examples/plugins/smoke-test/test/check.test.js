// The judgement without WebAssembly: npm test

import assert from 'node:assert/strict';
import test from 'node:test';

import { mistake, parse } from '../src/check.ts';
import { decode, encode } from '../src/utf8.ts';

const [check] = parse(
  new Map([['checks', '[{"path": "/health", "json": {"status": "ok", "db": {"up": true}, "ids": [1, 2]}}]']]),
);
const answer = (json, status = 200) => ({ status, body: JSON.stringify(json) });

test('an answer may say more than is expected', () => {
  const json = { status: 'ok', db: { up: true, version: 16 }, ids: [1, 2], more: null };
  assert.equal(mistake(check, answer(json)), undefined);
});

test('what differs is told with its path', () => {
  const wrong = (json, status) => mistake(check, answer(json, status));
  assert.equal(wrong({}, 503), 'answered 503, not 200');
  assert.equal(wrong({ status: 'ok', db: { up: false } }), '$.db.up is false, not true');
  assert.equal(wrong({ status: 'ok' }), '$.db is undefined, not {"up":true}');
  assert.equal(wrong({ status: 'ok', db: { up: true }, ids: [1] }), '$.ids is [1], not [1,2]');
  assert.equal(mistake(check, { status: 200, body: '<html>' }), 'the answer is not JSON');
  assert.equal(mistake({ ...check, contains: 'pong' }, answer({})), '`pong` is not in the answer');
});

test('settings that make no sense are told', () => {
  const error = (key, text) => {
    try {
      parse(new Map([[key, text]]));
    } catch ({ message }) {
      return message;
    }
  };
  assert.equal(error('check', '[]'), '`check`: there is only `checks`');
  assert.equal(error('checks', 'all'), '`checks`: a list of tables is expected');
  assert.match(error('checks', '[{"pth": "/"}]'), /^`checks\[0\]`: there is no `pth`, but method, path/);
  assert.equal(error('checks', '[{}]'), '`checks[0]`: a `path` is missing');
});

test('texts survive the way to bytes and back', () => {
  assert.equal(decode(encode('grüße ✓')), 'grüße ✓');
  assert.equal(decode(new Uint8Array([0xff])), 'ÿ');
});
