/** The variable that tells the agent where its script is. */
export const SCRIPT_VARIABLE = "FAKE_SCRIPT";
