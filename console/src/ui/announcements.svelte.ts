/** What a screen reader says, politely, in the place that the frame has for it. Sparingly: for what came of an action, and what waits. */
class Announcements {
  text = $state("");
  #isOdd = false;

  announce(text: string): void {
    // The same words twice are said twice.
    this.#isOdd = !this.#isOdd;
    this.text = this.#isOdd ? text : `${text}\u00a0`;
  }
}

export const announcements = new Announcements();
