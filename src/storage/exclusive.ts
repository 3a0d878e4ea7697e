/** Runs asynchronous pieces of work one after the other, in the order asked for. */
export class Exclusive {
  #last: Promise<unknown> = Promise.resolve();

  /** Starts `work` when everything asked for earlier has ended, well or not. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result;
    return result;
  }

  /** Resolves when everything asked for so far has ended. */
  async idle(): Promise<void> {
    await this.#last.then(
      () => undefined,
      () => undefined,
    );
  }
}
