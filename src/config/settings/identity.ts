import { certificateNames, headerName, path, roles } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** By what somebody is known, beside the tokens of `BREAKGLASS_TOKENS_FILE`. */
export const IDENTITY_SETTINGS = {
  clientCa: {
    variable: "BREAKGLASS_CLIENT_CA",
    kind: path("the path of a PEM file"),
    unset: "none: clients are asked for no certificate",
    does: "Those who sign certificates of clients. A client may show none; one that is signed by nobody of these is refused. It takes `BREAKGLASS_TLS_CERT` too, and `BREAKGLASS_CLIENT_CERTIFICATES_FILE` or `BREAKGLASS_PROXY_CERTIFICATES`.",
  },
  clientCertificatesFile: {
    variable: "BREAKGLASS_CLIENT_CERTIFICATES_FILE",
    kind: path("the path of a file"),
    unset: "none: certificates stand for nobody",
    does: "Whom certificates of clients stand for, in YAML or JSON. It takes `BREAKGLASS_CLIENT_CA` too.",
  },
  jwtIssuersFile: {
    variable: "BREAKGLASS_JWT_ISSUERS_FILE",
    kind: path("the path of a file"),
    unset: "none: no JWT is accepted",
    does: "The issuers whose JWTs are accepted as bearer tokens, in YAML or JSON.",
  },
  proxyUserHeader: {
    variable: "BREAKGLASS_PROXY_USER_HEADER",
    kind: headerName,
    unset: "none: nobody is told by a header",
    does: "The header in which a proxy names the user that it let through. It is heeded from a unix socket, and from those whom `BREAKGLASS_PROXY_CERTIFICATES` names; from all others it is as if it were not there.",
  },
  proxyRolesHeader: {
    variable: "BREAKGLASS_PROXY_ROLES_HEADER",
    kind: headerName,
    unset: "none",
    does: "The header in which such a proxy names its user's roles, separated by commas.",
  },
  proxyRoles: {
    variable: "BREAKGLASS_PROXY_ROLES",
    kind: roles,
    default: "operator",
    does: "The roles of a proxy's users of whom it names none.",
  },
  proxyCertificates: {
    variable: "BREAKGLASS_PROXY_CERTIFICATES",
    kind: certificateNames,
    default: "",
    does: "The names in certificates of proxies whose headers are heeded. It takes `BREAKGLASS_CLIENT_CA` and `BREAKGLASS_PROXY_USER_HEADER` too.",
  },
} as const satisfies Settings;
