// What a check asks for, and what is wrong with an answer to it. Nothing here needs a container.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Check {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: Json;
  timeoutMs: number;
  status: number;
  json?: Json;
  contains?: string;
}

export interface Answer {
  status: number;
  body: string;
}

const DEFAULTS = { method: 'GET', headers: {}, timeoutMs: 5000, status: 200 };
const KEYS = ['method', 'path', 'headers', 'body', 'timeout-ms', 'status', 'json', 'contains'];

/** The checks of the settings; throws an Error that says what is wrong with them. */
export function parse(settings: Map<string, string>): Check[] {
  const { checks: text = '[]', ...others } = Object.fromEntries(settings);
  for (const key in others) throw new Error(`\`${key}\`: there is only \`checks\``);
  const checks: Json = text.startsWith('[') ? JSON.parse(text) : null;
  if (!Array.isArray(checks)) throw new Error('`checks`: a list of tables is expected');
  return checks.map((check, index) => one(`\`checks[${index}]\``, check as { [key: string]: Json }));
}

function one(where: string, check: { [key: string]: Json }): Check {
  const stranger = Object.keys(check).find((key) => !KEYS.includes(key));
  if (stranger) throw new Error(`${where}: there is no \`${stranger}\`, but ${KEYS.join(', ')}`);
  if (typeof check.path !== 'string') throw new Error(`${where}: a \`path\` is missing`);
  const { 'timeout-ms': timeoutMs = DEFAULTS.timeoutMs, ...rest } = check;
  return { ...DEFAULTS, ...rest, timeoutMs } as Check;
}

export const title = (check: Check): string => `${check.method} ${check.path}`;

/** What is wrong with an answer, in words; nothing if it is as expected. */
export function mistake(check: Check, { status, body }: Answer): string | undefined {
  if (status !== check.status) return `answered ${status}, not ${check.status}`;
  if (check.contains !== undefined && !body.includes(check.contains)) {
    return `\`${check.contains}\` is not in the answer`;
  }
  if (check.json === undefined) return undefined;
  try {
    return difference('$', check.json, JSON.parse(body));
  } catch {
    return 'the answer is not JSON';
  }
}

/** Objects may have more than is expected, everything else must be equal. */
function difference(path: string, expected: Json, actual: Json | undefined): string | undefined {
  const differs = `${path} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`;
  if (typeof expected !== 'object' || expected === null) {
    return expected === actual ? undefined : differs;
  }
  if (typeof actual !== 'object' || actual === null) return differs;
  if (Array.isArray(expected) !== Array.isArray(actual)) return differs;
  if (Array.isArray(expected) && expected.length !== (actual as Json[]).length) return differs;
  for (const [key, value] of Object.entries(expected)) {
    const inner = difference(`${path}.${key}`, value, (actual as { [key: string]: Json })[key]);
    if (inner) return inner;
  }
  return undefined;
}
