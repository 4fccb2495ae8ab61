/** A definition that the agent cannot be started with. The message names the file and what to mend. */
export class DefinitionRefusal extends Error {
  override readonly name = "DefinitionRefusal";
}
