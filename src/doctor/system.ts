import { findContainment } from "../agent/process/containment.ts";
import { hasProcessTable } from "../agent/process/process-table.ts";
import { ConfigError } from "../config/config-error.ts";
import { capConnections } from "../descriptors.ts";
import { createLog } from "../log.ts";
import { failure, type MachineCheck, warning, well } from "./examination.ts";

/** How what an agent starts would be held together. */
export const containmentCheck: MachineCheck = {
  name: "containment",
  async look() {
    const { root, subtree, lack } = findContainment();
    if (root !== undefined && lack === undefined) {
      const whole =
        subtree === undefined ? "" : ", and whoever else comes to be there is an agent's";
      return well(
        `each agent gets a cgroup below ${root.directory}, which it cannot leave${whole}`,
      );
    }
    const mend = "on Linux with systemd run the server as a unit with Delegate=yes";
    return warning(
      hasProcessTable
        ? `no cgroup holds agents (${lack}): a process that sheds its mark, its parent and its session escapes`
        : `this system tells little of processes (${lack}): one that makes a process group of its own escapes`,
      mend,
    );
  },
};

/** Whether the limit of file descriptors is enough. */
export const descriptorsCheck: MachineCheck = {
  name: "descriptors",
  async look(config) {
    try {
      const connections = capConnections(
        config,
        createLog(() => {}),
      );
      const text = `the limit of file descriptors leaves room for ${connections} connections`;
      return connections < config.maxConnections
        ? warning(text, `raise it (LimitNOFILE=) for the ${config.maxConnections} that are set`)
        : well(text);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return failure(error.message, "raise the limit: LimitNOFILE= of the unit, or ulimit -Hn");
    }
  },
};
