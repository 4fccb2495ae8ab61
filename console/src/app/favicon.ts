/** Shows in the tab's icon whether something waits for whoever looks. */
export function showWaiting(isWaiting: boolean): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  icon?.setAttribute("href", isWaiting ? "/icon-waiting.svg" : "/icon.svg");
}
