import { type PendingApproval, type Turn, TurnOrigin } from "@breakglass/client";
import type { Desk, NewsListener } from "../desk/desk.svelte.ts";
import { visibleProse, visibleText } from "../ui/visible-text.ts";
import { words } from "../words/words.ts";
import { address, turnPath } from "./address.svelte.ts";

const SETTING = "breakglass.notify";
type Setting = "off" | "on" | "with-text";

/**
 * Tells of what waits for whoever looks, and of the ends of their own turns, by the desktop, where they asked for it.
 *
 * 1. Only while the page is not to be seen: who sees it sees it there.
 * 2. A locked screen shows notifications to whoever passes: they say no more than a tool's name and who asked, unless more was asked for.
 * 3. What was decided, here or elsewhere, is withdrawn.
 */
export class Notifications {
  #setting = $state<Setting>(readSetting());
  #permission = $state<NotificationPermission>(permission());
  readonly #shown = new Map<string, Notification>();

  get isOn(): boolean {
    return this.#setting !== "off" && this.#permission === "granted";
  }

  get hasText(): boolean {
    return this.#setting === "with-text";
  }

  /** The browser lets nothing through, and does not ask again. */
  get isBlocked(): boolean {
    return this.#permission === "denied";
  }

  /** Asks the browser, and so its user, where that was not done. To be called by a press on a button. */
  async turnOn(hasText = false): Promise<void> {
    this.#set(hasText ? "with-text" : "on");
    if (typeof Notification !== "undefined" && this.#permission === "default") {
      this.#permission = await Notification.requestPermission();
    }
  }

  turnOff(): void {
    this.#set("off");
    for (const tag of this.#shown.keys()) this.#withdraw(tag);
  }

  /** Tells of what a desk hears, until what it answers is called. @param me - Who looks. */
  follow(desk: Desk, me: string): () => void {
    const heed: NewsListener = (change) => {
      switch (change.case) {
        case "approvalRequested":
          this.#tellApproval(change.value);
          break;
        case "approvalResolved":
          if (change.value.kind.case === "approvalResolution") {
            this.#withdraw(change.value.kind.value.approvalId); // 3.
          }
          break;
        case "turnEnded":
          for (const { id, approval } of desk.approvals) {
            if (approval.event?.turnId === change.value.turnId) this.#withdraw(id); // 3.
          }
          if (change.value.principal === me) this.#tellEnd(change.value);
          break;
      }
    };
    const unfollow = desk.listen(heed);
    return () => {
      unfollow();
      for (const tag of this.#shown.keys()) this.#withdraw(tag);
    };
  }

  #tellApproval({ event, principal, mayResolve }: PendingApproval): void {
    if (!mayResolve || event?.kind.case !== "approvalRequest") return;
    const { approvalId, name, description } = event.kind.value;
    this.#show(
      approvalId,
      words.notify.asks(visibleText(name), principal),
      visibleProse(description),
      event.turnId,
    );
  }

  #tellEnd({ turnId, state, prompt, origin }: Turn): void {
    if (origin === TurnOrigin.AGENT) return;
    this.#show(
      turnId,
      words.notify.ended(words.turn.state(state) ?? ""),
      visibleProse(prompt.slice(0, 200)),
      turnId,
    );
  }

  #show(tag: string, title: string, text: string, turnId: string): void {
    if (!this.isOn || !document.hidden) return; // 1.
    try {
      const body = this.hasText ? text : ""; // 2.
      const shown = new Notification(title, { tag, body });
      shown.onclick = () => {
        window.focus();
        address.go(turnPath(turnId));
        shown.close();
      };
      this.#shown.set(tag, shown);
    } catch {
      // A phone's browser takes none from a page.
    }
  }

  #withdraw(tag: string): void {
    this.#shown.get(tag)?.close();
    this.#shown.delete(tag);
  }

  #set(setting: Setting): void {
    this.#setting = setting;
    try {
      localStorage.setItem(SETTING, setting);
    } catch {}
  }
}

export const notifications = new Notifications();

function permission(): NotificationPermission {
  return typeof Notification === "undefined" ? "denied" : Notification.permission;
}

function readSetting(): Setting {
  try {
    const kept = localStorage.getItem(SETTING);
    return kept === "on" || kept === "with-text" ? kept : "off";
  } catch {
    return "off";
  }
}
