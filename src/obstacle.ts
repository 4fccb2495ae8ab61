/** Something that keeps the service from its work, in words for an operator. */
export interface Obstacle {
  /** What is wrong, as the end of a sentence. */
  readonly why: string;
  /** What to do about it. */
  readonly mend: string;
}
