// What the settings say. Nothing here needs WebAssembly.

/** Says no: thrown out of a hook it ends the deploy with this reason and hint. */
export class Refusal extends Error {
  constructor(reason, hint) {
    super(reason);
    // What the hook returns; any other Error would be a crash of the plugin.
    this.payload = { reason, hint };
  }
}

/** The settings with their types: tables and lists arrive as JSON, everything else as text. */
export function settings(pairs) {
  const config = { environment: 'production', common: {}, environments: {}, required: [] };
  const hint = 'see `config` of this plugin in plugins.toml';
  for (const [key, text] of pairs) {
    if (!Object.hasOwn(config, key)) {
      throw new Refusal(`config \`${key}\`: there are ${Object.keys(config).join(', ')}`, hint);
    }
    config[key] = typeof config[key] === 'string' ? text : JSON.parse(text);
  }
  if (!Object.hasOwn(config.environments, config.environment)) {
    const known = Object.keys(config.environments).join(', ') || 'none';
    throw new Refusal(`config \`environment\`: \`${config.environment}\` is none of those under \`environments\`: ${known}`, hint);
  }
  return config;
}

/** The variables of the chosen environment; its own win over the common ones. */
export function defaults({ common, environments, environment }) {
  const chosen = { ...common, ...environments[environment] };
  return Object.fromEntries(Object.entries(chosen).map(([name, value]) => [name, String(value)]));
}
