import { type CallerInfo, SignInMethod } from "@breakglass/client";

/** Whether somebody signed in by the page: of a certificate or a proxy's sign-in it can forget nothing. */
export function isSignedInHere(caller: CallerInfo | undefined): boolean {
  return caller?.method === SignInMethod.TOKEN || caller?.method === SignInMethod.JWT;
}
