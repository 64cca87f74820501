/** Says no: thrown out of a hook it ends the deploy with this reason and hint. */
export class Refusal extends Error {
  /** What the hook returns; any other Error would be a crash of the plugin. */
  readonly payload: { reason: string; hint: string };

  constructor(reason: string, hint: string) {
    super(reason);
    this.payload = { reason, hint };
  }
}
